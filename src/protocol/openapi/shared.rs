//! The parts that all operations of a section share, because middleware and extractors implement them: credentials,
//! headers, path parameters, and the errors of these.

use super::{Credential, Section, errors, examples};
use axum::http::StatusCode;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayItems, KnownFormat, Object, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, Header, OpenApi, PathItem, Ref, RefOr, Required, Response, Schema};

const KEY: &str = "ApiKey";
const BEARER: &str = "Bearer";

/// Adds a section's operations to the document.
pub fn add(document: &mut OpenApi, section: &Section) {
    let mut part = (section.api)();
    for (path, item) in &mut part.paths.paths {
        for (_, operation) in operations(item) {
            complete(operation, path, section);
        }
    }
    part.tags = None;
    let nested = OpenApi::default().nest(section.prefix, part);
    for (path, item) in nested.paths.paths {
        document.paths.paths.insert(path, item);
    }
    let components = document.components.get_or_insert_default();
    components.schemas.extend(nested.components.unwrap_or_default().schemas);
    let tag = TagBuilder::new().name(section.tag).description(Some(section.about)).build();
    document.tags.get_or_insert_default().push(tag);
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn complete(operation: &mut Operation, path: &str, section: &Section) {
    operation.tags = Some(vec![section.tag.to_owned()]);
    if let Some(id) = &mut operation.operation_id
        && let Some(first) = id.chars().next().filter(|_| section.prefix.matches('/').count() > 1)
    {
        *id = format!("{}{}{}", section.tag.to_lowercase(), first.to_uppercase(), &id[first.len_utf8()..]);
    }
    let scopes: [&str; 0] = [];
    operation.security = match section.credential {
        Credential::None | Credential::Body => Some(Vec::new()),
        Credential::Manager if path.starts_with("/spaces") => Some(vec![SecurityRequirement::new(KEY, scopes)]),
        Credential::Key | Credential::Provisioner => Some(vec![SecurityRequirement::new(KEY, scopes)]),
        Credential::Bearer => Some(vec![SecurityRequirement::new(BEARER, scopes)]),
        Credential::Manager => {
            Some(vec![SecurityRequirement::new(KEY, scopes), SecurityRequirement::new(BEARER, scopes)])
        }
        Credential::Any => Some(vec![
            SecurityRequirement::new(KEY, scopes),
            SecurityRequirement::new(BEARER, scopes),
            SecurityRequirement::default(),
        ]),
    };

    let own = operation.parameters.take().unwrap_or_default();
    let own: Vec<Parameter> = own
        .into_iter()
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
        .collect();
    let has_id = path.contains('{');
    let has_key = own.iter().any(|parameter| parameter.name == "Idempotency-Key");
    let has_checked = own.iter().any(|parameter| parameter.name != "Prefer");
    let mut parameters: Vec<RefOr<Parameter>> = ids_of(path).map(RefOr::T).collect();
    parameters.extend(own.into_iter().map(never_null).map(RefOr::T));
    if matches!(section.credential, Credential::Key | Credential::Manager) {
        parameters.push(RefOr::Ref(Ref::new("#/components/parameters/X-Hiloop")));
    }
    parameters.push(RefOr::Ref(Ref::new("#/components/parameters/X-Request-Id")));
    operation.parameters = Some(parameters);

    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            add_headers(response, section, has_key);
        }
    }

    let mut errors = BTreeSet::new();
    if has_id {
        errors.insert(StatusCode::NOT_FOUND);
    }
    if has_id || has_checked {
        errors.insert(StatusCode::BAD_REQUEST);
    }
    if has_key {
        errors.extend([StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY]);
    }
    if operation.request_body.is_some() {
        errors.extend([StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE]);
    }
    match section.credential {
        Credential::None => {}
        Credential::Body => {}
        Credential::Bearer => {
            errors.insert(StatusCode::UNAUTHORIZED);
        }
        Credential::Provisioner | Credential::Any => {
            errors.extend([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN]);
        }
        // An invalid name in `X-Hiloop`, and a UUID that is not the id of an agent of the space.
        Credential::Key | Credential::Manager => errors.extend([
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::BAD_REQUEST,
            StatusCode::NOT_FOUND,
        ]),
    }
    if section.credential != Credential::None {
        let always =
            [StatusCode::TOO_MANY_REQUESTS, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];
        errors.extend(always);
    }
    for status in errors {
        for (status, response) in errors::documented(status) {
            operation.responses.responses.entry(status).or_insert(response);
        }
    }
}

/// The parameters of a path. Every one is an id, and every id a UUID in its canonical form (`path.rs`).
fn ids_of(path: &str) -> impl Iterator<Item = Parameter> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names.map(|name| {
        let schema =
            ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
        parameter.required(Required::True).schema(Some(schema)).build()
    })
}

/// A parameter may be absent but not null, since a URL or header can't hold a null.
fn never_null(mut parameter: Parameter) -> Parameter {
    match &mut parameter.schema {
        Some(RefOr::T(Schema::Object(Object { schema_type, .. }))) => {
            if let SchemaType::Array(types) = schema_type
                && let Some(kind) = types.iter().find(|kind| **kind != Type::Null)
            {
                *schema_type = SchemaType::Type(kind.clone());
            }
        }
        Some(RefOr::T(Schema::OneOf(one_of))) => {
            one_of.items.retain(|item| matches!(item, RefOr::Ref(_)));
            if let [RefOr::Ref(reference)] = one_of.items.as_slice() {
                parameter.schema = Some(RefOr::Ref(reference.clone()));
            }
        }
        _ => {}
    }
    parameter
}

fn add_headers(response: &mut Response, section: &Section, has_key: bool) {
    let mut add = |name: &str| {
        let reference = Ref::new(format!("#/components/headers/{name}"));
        response.headers.insert(name.to_owned(), RefOr::Ref(reference));
    };
    add("X-Request-Id");
    if section.credential != Credential::None {
        add("RateLimit");
        add("RateLimit-Policy");
    }
    if has_key {
        add("Idempotent-Replayed");
    }
}

/// Adds the parts that all sections share.
pub fn finish(document: &mut OpenApi) {
    require_all_of_replies(document);
    let components = document.components.get_or_insert_default();
    refer_to_entries(components);
    examples::add(&mut components.schemas);
    errors::add(components);
    components.headers = headers();
    components.parameters = parameters();
    let key = ApiKey::Header(ApiKeyValue::with_description(
        "X-API-Key",
        "`hlp_` and 64 lowercase hex digits; a provisioner key begins with `hlp_prov_`.",
    ));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A JWT of a human, or a guest token: `hlg_` and 64 lowercase hex digits."))
        .build();
    components.security_schemes = [(KEY, SecurityScheme::ApiKey(key)), (BEARER, SecurityScheme::Http(bearer))]
        .map(|(name, scheme)| (name.to_owned(), RefOr::T(scheme)))
        .into();

    for (name, response) in &mut components.responses {
        let RefOr::T(response) = response else { continue };
        let mut add = |header: &str| {
            let reference = Ref::new(format!("#/components/headers/{header}"));
            response.headers.insert(header.to_owned(), RefOr::Ref(reference));
        };
        add("X-Request-Id");
        match name.as_str() {
            "RateLimited" => ["Retry-After", "RateLimit", "RateLimit-Policy"].into_iter().for_each(add),
            "Unavailable" => add("Retry-After"),
            "Unauthorized" => add("WWW-Authenticate"),
            "UpgradeRequired" => add("Sec-WebSocket-Version"),
            _ => {}
        }
    }

    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            for parameter in operation.parameters.iter_mut().flatten() {
                if matches!(parameter, RefOr::T(parameter) if parameter.name == "Idempotency-Key")
                    && let RefOr::T(full) =
                        std::mem::replace(parameter, RefOr::Ref(Ref::new("#/components/parameters/Idempotency-Key")))
                {
                    components.parameters.insert("Idempotency-Key".to_owned(), RefOr::T(full));
                }
            }
        }
    }
    optional_bodies(document);
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn headers() -> BTreeMap<String, RefOr<Header>> {
    let number = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let all = [
        ("X-Request-Id", text(), "The request's id: that of the request header, or a generated one."),
        (
            "Idempotent-Replayed",
            text().enum_values(Some(["true"])),
            "The request was executed before; this is its first reply.",
        ),
        ("Retry-After", number(), "Seconds to wait."),
        (
            "RateLimit",
            text(),
            "The remaining quota: `\"default\";r=REQUESTS;t=SECONDS`. Absent if rate limits are off.",
        ),
        ("RateLimit-Policy", text(), "The quota: `\"default\";q=REQUESTS;w=SECONDS`. Absent if rate limits are off."),
        ("Sec-WebSocket-Version", text().enum_values(Some(["13"])), "The supported WebSocket version."),
        ("WWW-Authenticate", text().enum_values(Some(["Bearer"])), "How to authenticate."),
    ];
    let header = |(name, schema, about): (&str, ObjectBuilder, &str)| {
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build();
        (name.to_owned(), RefOr::T(header))
    };
    all.map(header).into()
}

fn parameters() -> BTreeMap<String, RefOr<Parameter>> {
    let all = [
        (
            "X-Hiloop",
            text().min_length(Some(1)).max_length(Some(64)).pattern(Some("^[A-Za-z0-9._-]+$")),
            "Name or id of the agent that the key acts as; an agent with a new name is created. The key's own agent unless given.",
        ),
        (
            "X-Request-Id",
            text(),
            "The request's id: 1 to 128 visible ASCII characters. An invalid value is ignored and an id is generated.",
        ),
    ];
    let parameter = |(name, schema, about): (&str, ObjectBuilder, &str)| {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header);
        let parameter = parameter.schema(Some(schema)).description(Some(about)).build();
        (name.to_owned(), RefOr::T(parameter))
    };
    all.map(parameter).into()
}

/// Makes the schema of each page refer to the schema of its entries (derived schemas of generic types repeat it inline).
fn refer_to_entries(components: &mut Components) {
    let names: Vec<String> = components.schemas.keys().cloned().collect();
    for name in &names {
        let Some(entry) = name.strip_prefix("Page_").filter(|entry| names.iter().any(|name| name == entry)) else {
            continue;
        };
        if let Some(RefOr::T(Schema::Object(page))) = components.schemas.get_mut(name)
            && let Some(RefOr::T(Schema::Array(data))) = page.properties.get_mut("data")
        {
            data.items = ArrayItems::RefOrSchema(Box::new(Ref::from_schema_name(entry).into()));
        }
    }
}

/// Keys of replies that may be absent, by schema.
const AT_TIMES: &[(&str, &str)] =
    &[("Human", "emailVerified"), ("Readiness", "failing"), ("Readiness", "redis"), ("Responder", "invitedBy")];

/// Objects that the hub sends have all their keys, with null for one without a value (contract section 1).
fn require_all_of_replies(document: &mut OpenApi) {
    let Some(components) = &mut document.components else { return };
    let schemas = serde_json::to_value(&components.schemas).unwrap_or_default();
    let mut sent = BTreeSet::new();
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            collect(&serde_json::to_value(&operation.request_body).unwrap_or_default(), &schemas, &mut sent);
        }
    }
    for (name, schema) in components.schemas.iter_mut().filter(|(name, _)| !sent.contains(*name)) {
        require_all(schema);
        if let RefOr::T(Schema::Object(object)) = schema {
            object.required.retain(|key| !AT_TIMES.contains(&(name, key)));
        }
    }
}

/// The names of the schemas that `value` refers to, and what these refer to.
fn collect(value: &Value, schemas: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            let reference = object.get("$ref").and_then(Value::as_str);
            if let Some(name) = reference.and_then(|reference| reference.strip_prefix("#/components/schemas/"))
                && names.insert(name.to_owned())
            {
                collect(&schemas[name], schemas, names);
            }
            object.values().for_each(|value| collect(value, schemas, names));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, schemas, names)),
        _ => {}
    }
}

fn require_all(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) if !object.properties.is_empty() => {
            object.required = object.properties.keys().cloned().collect();
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(require_all),
        RefOr::T(Schema::OneOf(one)) => one.items.iter_mut().for_each(require_all),
        _ => {}
    }
}

/// An empty body counts as `{}`: only a body with a required key is required.
fn optional_bodies(document: &mut OpenApi) {
    let Some(components) = &document.components else { return };
    let schemas = &components.schemas;
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
            let needed = body.content.values().any(|content| {
                let RefOr::T(content) = content else { return false };
                let Some(RefOr::Ref(reference)) = &content.schema else { return false };
                let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
                matches!(schemas.get(name), Some(RefOr::T(Schema::Object(object))) if !object.required.is_empty())
            });
            body.required = Some(if needed { Required::True } else { Required::False });
        }
    }
}
