// npm start: the demo. `npm start -- --stay` keeps it up.
import { createRequire } from 'node:module';

process.argv.splice(2, 0, 'demo');
createRequire(import.meta.url)('../bin/pullyu');
