// What Elastic's own client, made from its description of the API, sends for the calls on stdin:
// node elastic_requests.js PACKAGE < [[API, CALL, PARAMETERS], ...]. Nothing is sent.
const path = require("path");
const calls = JSON.parse(require("fs").readFileSync(0, "utf8"));

async function sent([api, call, parameters]) {
  const Api = require(path.join(process.argv[2], "lib/api/api", `${api}.js`)).default;
  const transport = { request: async (request) => request };
  const { method, path: place, querystring, body } = await new Api(transport)[call](parameters);
  return { method, path: place, querystring, body: body === undefined ? null : body };
}

Promise.all(calls.map(sent)).then((all) => console.log(JSON.stringify(all)));
