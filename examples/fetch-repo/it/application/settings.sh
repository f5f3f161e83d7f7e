# Places of the application on a host. To be included. PULLYU_ROOT is empty on a real host.
clone=${PULLYU_ROOT:-}/var/cache/application.git
site=${PULLYU_ROOT:-}/srv/application
version=$(cat application/version)
