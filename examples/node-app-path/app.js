const http = require("http");

const server = http.createServer((request, response) => {
  response.writeHead(200, { "Content-Type": "text/plain" });
  response.end("Hello World\n");
});

server.listen(80, "0.0.0.0", () => {
  console.log("Server running at http://0.0.0.0:80/");
});

// The first process of a container ends at SIGTERM only if it says so itself.
process.on("SIGTERM", () => process.exit(0));
