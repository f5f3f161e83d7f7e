# The table of products.
printf 'name\nTea\nBread\n' >"$table"
