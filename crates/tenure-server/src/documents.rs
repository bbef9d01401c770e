//! Documents that the server has with it: the OpenAPI description and the page of errors.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::{codes, end, health, issue, metrics, moving, schema, sessions, users, verify};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tenure",
        description = "User sessions for web back ends. Every error is `application/problem+json` with a stable `code`; /docs/errors.md explains each.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(
        issue::create,
        issue::sign_in,
        issue::rotate,
        verify::verify,
        sessions::list,
        sessions::show,
        sessions::change,
        sessions::end,
        end::end,
        users::list,
        users::end,
        moving::begin,
        moving::show,
        health::alive,
        health::ready,
        metrics::metrics
    ),
    components(schemas(schema::Session)),
    tags(
        (name = "issue", description = "Hands out tokens; takes the scope `issue`."),
        (name = "check", description = "Checks tokens; takes the scope `check`."),
        (name = "manage", description = "Reads, changes and ends; takes the scope `manage`."),
        (name = "admin", description = "Looks after the server; takes the scope `admin`."),
        (name = "health", description = "For probes; takes no API key.")
    ),
    security(("api_key" = [])),
    modifiers(&ApiKeyScheme)
)]
struct Api;

struct ApiKeyScheme;

impl Modify for ApiKeyScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key, `tnk_…`."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(bearer));
    }
}

/// The OpenAPI document, as in `docs/openapi.json`.
pub fn openapi_document() -> String {
    let mut text = Api::openapi().to_pretty_json().expect("the document is JSON");
    text.push('\n');
    text
}

/// The OpenAPI document.
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi_document())
}

/// What every error code means.
pub(crate) async fn errors() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/markdown; charset=utf-8")], codes::page())
}
