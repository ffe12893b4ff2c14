//! Requests to a server that speaks JSON over HTTP.

use base64::Engine as _;
use serde_json::Value;
use std::time::Duration;
use triflow::prelude::*;
use ureq::Agent;
use ureq::http::StatusCode;

/// Time after which a request fails, and a longer one for files.
const TIMES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(120));

/// A server.
pub(super) struct Client {
    agent: Agent,
    /// Address without a slash at the end.
    base: String,
    /// Header of authorisation; `None` without.
    authorization: Option<String>,
}

/// A failed request.
pub(super) enum Failure {
    /// The server answers with an error: its status and message, or the beginning of its text.
    Answer(StatusCode, String),
    /// It does not answer.
    Silence(String),
}

impl Client {
    /// A client of the server at `base`, such as `http://127.0.0.1:5000`, with the user, password
    /// or token of environment variables that begin with `prefix`.
    ///
    /// # Errors
    /// [`Error::Config`]: `base` is no address over HTTP.
    pub fn new(base: &str, prefix: &str) -> Result<Self> {
        let wrong = |why: String| {
            let help = "write an address such as http://127.0.0.1:5000";
            Err(Error::config("uri", why).help(help))
        };
        if base.starts_with("https://") {
            return Err(Error::config("uri", format!("`{base}`: TLS is not built in")).help(
                "forward a port of this machine to the server, as by `ssh -L 5000:localhost:5000 \
                 HOST`, and give http://127.0.0.1:5000",
            ));
        }
        let Some(rest) = base.strip_prefix("http://") else {
            return wrong(format!("`{base}` is no address of a server"));
        };
        if rest.contains('@') {
            return Err(Error::config(
                "uri",
                "holds a user or password, which would be written down",
            )
            .help(format!("set {prefix}_USERNAME and {prefix}_PASSWORD, or {prefix}_TOKEN")));
        }
        if base.parse::<ureq::http::Uri>().is_err() || rest.starts_with('/') || rest.is_empty() {
            return wrong(format!("`{base}` is no address of a server"));
        }
        let variable = |name: &str| std::env::var(format!("{prefix}_{name}")).ok();
        let authorization = match (variable("TOKEN"), variable("USERNAME")) {
            (Some(token), _) => Some(format!("Bearer {token}")),
            (None, Some(user)) => {
                let pair = format!("{user}:{}", variable("PASSWORD").unwrap_or_default());
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                Some(format!("Basic {pair}"))
            }
            (None, None) => None,
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMES.0))
            .max_redirects(0)
            .build();
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { agent: agent.into(), base, authorization })
    }

    /// Gets JSON at a path.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let mut request = self.agent.get(self.at(path));
        for (name, value) in query {
            request = request.query(name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        answer(request.call())
    }

    /// Posts JSON to a path.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let mut request = self.agent.post(self.at(path));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        answer(request.content_type("application/json").send(body.to_string()))
    }

    /// Puts a file at a path.
    pub fn put(&self, path: &str, kind: &str, bytes: &[u8]) -> Result<Value, Failure> {
        let request = self.agent.put(self.at(path));
        let mut request = request.config().timeout_global(Some(TIMES.1)).build();
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        answer(request.content_type(kind).send(bytes))
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
}

fn answer(done: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, Failure> {
    let silence = |e: ureq::Error| Failure::Silence(e.to_string());
    let mut answer = done.map_err(silence)?;
    let text = answer.body_mut().read_to_string().map_err(silence)?;
    let json: Option<Value> = serde_json::from_str(&text).ok();
    if !answer.status().is_success() {
        let told = json.as_ref().and_then(|json| json["message"].as_str());
        let told = told.unwrap_or(&text).lines().next().unwrap_or_default();
        return Err(Failure::Answer(answer.status(), told.chars().take(300).collect()));
    }
    match json {
        Some(json) => Ok(json),
        None if text.trim().is_empty() => Ok(Value::Null),
        None => {
            Err(Failure::Silence("the answer is not JSON: is this the right server?".to_owned()))
        }
    }
}

impl Failure {
    /// The failure as an error of a server called `name`, at its key.
    pub fn error(self, name: &str, client: &Client) -> Error {
        let base = &client.base;
        let message = match self {
            Self::Answer(status, text) => format!("{name} at {base} answers {status}: {text}"),
            Self::Silence(why) => format!("{name} at {base} does not answer: {why}"),
        };
        Error::config("uri", message)
    }
}
