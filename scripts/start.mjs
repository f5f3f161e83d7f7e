// npm start: the demo. `npm start -- --stay` keeps it up.
const { main } = await import('../dist/main.js');
process.exitCode = await main(['demo', ...process.argv.slice(2)]);
