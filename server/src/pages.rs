//! What the server says of itself: its health, its description as OpenAPI, and the page at `/`.

use crate::Limits;
use crate::ask::{NPZ, Work};
use crate::work::has_columns;
use serde_json::{Map, Value, json};
use triflow::Trained;
use triflow::run::Run;
use triflow::table::{CellType, TableColumn};

/// Texts that depend on the model alone.
#[derive(Debug)]
pub struct Pages {
    pub openapi: String,
    pub page: String,
    /// The answer of `/health`, but for its status.
    pub health: Value,
    /// True if the run predicts.
    pub predicts: bool,
}

impl Pages {
    pub fn of(run: &Run, model: &Trained, limits: Limits) -> Self {
        let experiment = model.experiment();
        let predicts = experiment.task().predicts();
        let health = json!({
            "status": "ok",
            "run": run.path,
            "objective": experiment.objective.name(),
            "task": experiment.task_name(),
        });
        let openapi = openapi(run, model, limits);
        let page = page(&openapi);
        Self { openapi: openapi.to_string(), page, health, predicts }
    }
}

/// JSON schema of a cell of a column.
fn cell(column: &TableColumn) -> Value {
    match &column.kind {
        CellType::Number { .. } => json!({ "type": ["number", "null"] }),
        CellType::Flag { .. } => json!({ "type": ["boolean", "string", "number", "null"] }),
        CellType::Category { .. } => json!({ "type": ["string", "number", "boolean", "null"] }),
        CellType::Time { format } => {
            json!({ "type": ["string", "null"], "description": format!("time as {format}") })
        }
    }
}

/// JSON schema of rows of named columns.
fn records(columns: &[TableColumn], required: bool) -> Value {
    let cells: Map<String, Value> = columns.iter().map(|c| (c.name.clone(), cell(c))).collect();
    let mut record = json!({ "type": "object", "properties": cells });
    if required {
        record["required"] = columns.iter().map(|c| c.name.as_str()).collect();
    }
    json!({ "type": "array", "items": record })
}

/// JSON schema of rows of numbers of a shape.
fn lists(shape: &[i64]) -> Value {
    let number = json!({ "type": "number" });
    shape.iter().rev().fold(
        number,
        |inner, n| json!({ "type": "array", "items": inner, "minItems": n, "maxItems": n }),
    )
}

/// The schema of a request, with the columns, classes and limits of this run.
fn request(work: Work, model: &Trained, limits: Limits) -> Value {
    let mut schema = work.schema();
    let units = model.units();
    let properties = &mut schema["properties"];
    let condition = match (&units.shapes.condition, &units.names) {
        (None, _) => None,
        (Some(_), names) if units.condition_is_label => {
            properties["labels"]["items"] = json!({ "enum": names.classes });
            Some(
                json!({ "type": ["array", "null"], "minItems": 1, "items": { "enum": names.classes } }),
            )
        }
        (Some(_), names) if !names.condition.is_empty() => {
            let mut rows = records(&names.condition, true);
            rows["minItems"] = json!(1);
            Some(rows)
        }
        (Some(shape), _) => {
            let row = json!({ "type": "array", "items": lists(shape), "minItems": 1 });
            Some(row)
        }
    };
    let sequences = model.experiment().task().is_sequence();
    let Some(keys) = properties.as_object_mut() else { return schema };
    for key in ["lengths", "condition_lengths", "x_lengths"] {
        if !sequences {
            keys.remove(key);
        }
    }
    if let Some(n) = keys.get_mut("n") {
        n["maximum"] = json!(limits.rows);
    }
    if let Some(samples) = keys.get_mut("samples") {
        samples["maximum"] = json!(limits.rows);
    }
    let name = if work == Work::Predict { "x" } else { "condition" };
    let description = keys.get(name).map(|own| own["description"].clone());
    match condition {
        Some(mut rows) => {
            rows["maxItems"] = json!(limits.rows);
            rows["description"] = description.unwrap_or_default();
            keys.insert(name.to_owned(), rows);
            if !units.condition_is_label {
                keys.remove("labels");
            }
        }
        None => {
            keys.remove(name);
            keys.remove("labels");
        }
    }
    let needs = units.shapes.condition.is_some() && !units.condition_is_label;
    if needs {
        schema["required"] = json!([name]);
    }
    schema
}

/// The schema of a result in JSON.
fn result(work: Work, model: &Trained) -> Value {
    let name = if work == Work::Predict { "predictions" } else { "samples" };
    let arrays = json!({
        "type": "object",
        "description": "Arrays by name, as nested lists.",
        "properties": { name: { "type": "array" } },
        "required": [name],
    });
    match has_columns(model) {
        true => json!({
            "anyOf": [
                {
                    "type": "object",
                    "description": "Rows of named columns.",
                    "properties": { "rows": { "type": "array", "items": { "type": "object" } } },
                    "required": ["rows"],
                },
                arrays,
            ]
        }),
        false => arrays,
    }
}

fn openapi(run: &Run, model: &Trained, limits: Limits) -> Value {
    let refusal = |text: &str| {
        json!({
            "description": text,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
        })
    };
    let refusals: Map<String, Value> = [
        ("400", "The request is wrong: `error` says what, where, and what would be right."),
        ("406", "The answer is in none of the types of Accept."),
        ("408", "The body did not arrive in time."),
        ("413", "The body is too long."),
        ("415", "The type of the body is not known."),
        ("500", "A component fails, or memory does not hold the rows."),
        ("503", "Too many requests wait, or the server is about to stop."),
        ("504", "The result was not there in time."),
    ]
    .into_iter()
    .map(|(status, text)| (status.to_owned(), refusal(text)))
    .collect();
    let post = |work: Work, summary: &str| {
        let mut responses = json!({
            "200": {
                "description": "The rows.",
                "content": {
                    "application/json": { "schema": result(work, model) },
                    NPZ: { "schema": { "type": "string", "contentMediaType": NPZ } },
                },
            }
        });
        if let Some(all) = responses.as_object_mut() {
            all.extend(refusals.clone());
        }
        json!({ "post": {
            "operationId": work.name(),
            "summary": summary,
            "requestBody": {
                "required": true,
                "content": { "application/json": { "schema": request(work, model, limits) } },
            },
            "responses": responses,
        }})
    };
    let get = |name: &str, summary: &str, kind: &str| {
        json!({ "get": {
            "operationId": name,
            "summary": summary,
            "responses": { "200": { "description": summary, "content": { kind: {} } } },
        }})
    };
    let mut paths = json!({
        "/generate": post(Work::Generate, "Draw samples."),
        "/health": get("health", "State of the server; 503 when it is about to stop.", "application/json"),
        "/metrics": get("metrics", "Counts in Prometheus' text format.", "text/plain"),
        "/openapi.json": get("openapi", "This description.", "application/json"),
        "/": get("page", "A page that describes the server and makes requests.", "text/html"),
    });
    paths["/health"]["get"]["responses"]["503"] =
        json!({ "description": "The server is about to stop." });
    if model.experiment().task().predicts() {
        paths["/predict"] = post(Work::Predict, "Predict y for rows of x.");
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "triflow",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "The run `{}` (`{}`). Requests of at most {} rows and {} MiB, answered within {} s. \
                 Bodies and answers may also be an .npz (`{NPZ}`).",
                run.path.display(), model.experiment().task_name(), limits.rows, limits.body >> 20,
                limits.time.as_secs()
            ),
        },
        "paths": paths,
        "components": { "schemas": { "Error": {
            "type": "object",
            "required": ["error"],
            "properties": { "error": {
                "type": "object",
                "required": ["text", "message"],
                "properties": {
                    "text": { "type": "string", "description": "The whole text, as the command shows it." },
                    "message": { "type": "string", "description": "What is wrong." },
                    "key": { "type": "string", "description": "The key of the body." },
                    "place": { "type": "string", "description": "The place." },
                    "help": { "type": "string", "description": "What would be right." },
                },
            } },
        } } },
    })
}

/// The page, with the description of the server in it.
fn page(openapi: &Value) -> String {
    // `<` cannot end the script in which the description stands.
    let data = openapi.to_string().replace('<', "\\u003c");
    include_str!("page.html").replace("{{openapi}}", &data)
}
