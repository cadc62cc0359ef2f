/* What FastAPI's page sets, too. The validator is somebody else's server; this page asks only its own. */
const ui = SwaggerUIBundle({
	url: '/openapi.json',
	dom_id: '#swagger-ui',
	layout: 'BaseLayout',
	deepLinking: true,
	showExtensions: true,
	showCommonExtensions: true,
	validatorUrl: null,
	presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
