// No validator and no query configuration: both would have the page look elsewhere.
SwaggerUIBundle({
  // Beside the folder of this script, whichever way the page was reached.
  url: new URL("../openapi.json", document.currentScript.src).href,
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  queryConfigEnabled: false,
  validatorUrl: null,
});
