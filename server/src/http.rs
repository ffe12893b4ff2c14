//! The paths of the server: reading of requests, their limits, and answers.

use crate::ask::{Ask, NPZ, Work};
use crate::pages::Pages;
use crate::work::{Answer, Job, Shared};
use crate::{Limits, json};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName,
    HeaderValue, RETRY_AFTER,
};
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use triflow::io::npz;
use triflow::{Error, Result};

/// Types of bodies that are taken as an `.npz`.
const NPZ_NAMES: [&str; 3] = [NPZ, "application/zip", "application/octet-stream"];
const JSON: &str = "application/json";
/// Largest time in which the body of a request arrives.
const ARRIVAL: Duration = Duration::from_secs(30);

/// What the answers of all connections share.
#[derive(Debug)]
pub struct Service {
    pub shared: Arc<Shared>,
    pub limits: Limits,
    pub pages: Pages,
    /// Number of requests that are not answered yet.
    pub running: AtomicUsize,
    pub stopping: AtomicBool,
}

/// An answer other than the result of a request: a status, its text, and perhaps a header.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: Box<Error>,
    header: Option<(HeaderName, &'static str)>,
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, error: Box::new(Error::config("", text)), header: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { error: Box::new(self.error.help(help)), ..self }
    }

    fn with(self, name: HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// The answer, with the text that the command shows and its parts.
    fn answer(&self) -> Response<Full<Bytes>> {
        let text = self.error.to_string();
        let mut error = serde_json::json!({ "text": text });
        match &*self.error {
            Error::Config(e) => {
                error["message"] = e.message.clone().into();
                let key = Some(&e.key).filter(|key| !key.is_empty());
                let parts = [("key", key), ("place", e.place.as_ref()), ("help", e.help.as_ref())];
                for (name, part) in parts {
                    if let Some(part) = part {
                        error[name] = part.clone().into();
                    }
                }
            }
            _ => error["message"] = text.clone().into(),
        }
        let body = serde_json::json!({ "error": error }).to_string();
        let mut answer = response(self.status, JSON, body.into());
        if let Some((name, value)) = &self.header {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}

/// The status of an error: 400 for one of the request, 500 for one of the server.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Config(_) | Error::Data { .. } => StatusCode::BAD_REQUEST,
            other => {
                log::error!("{other}");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self { status, error: Box::new(error), header: None }
    }
}

/// The work behind a path.
enum Route {
    Page(&'static str, String),
    Health,
    Metrics,
    Work(Work),
}

impl Service {
    fn route(&self, path: &str) -> Option<Route> {
        Some(match path {
            "/" => Route::Page("text/html; charset=utf-8", self.pages.page.clone()),
            "/openapi.json" => Route::Page(JSON, self.pages.openapi.clone()),
            "/health" => Route::Health,
            "/metrics" => Route::Metrics,
            "/generate" => Route::Work(Work::Generate),
            "/predict" if self.pages.predicts => Route::Work(Work::Predict),
            _ => return None,
        })
    }

    /// Answers a request, and counts the answer.
    pub async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let began = Instant::now();
        let path = request.uri().path().to_owned();
        let head = request.method() == Method::HEAD;
        let route = self.route(&path);
        // Unknown paths are counted together: anyone can invent them.
        let counted = if route.is_some() { path.as_str() } else { "other" };
        let mut answer = match self.routed(route, request).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.answer(),
        };
        if self.stopping.load(Ordering::SeqCst) {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.shared.metrics.answered(counted, answer.status().as_u16(), began.elapsed());
        log::debug!("{path}: {} in {:.1?}", answer.status(), began.elapsed());
        if head {
            *answer.body_mut() = Full::default();
        }
        Ok(answer)
    }

    async fn routed(
        &self,
        route: Option<Route>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Refusal> {
        let method = request.method().clone();
        let reads = method == Method::GET || method == Method::HEAD;
        match route {
            None => {
                let text = format!("there is nothing at {}", request.uri().path());
                Err(Refusal::new(StatusCode::NOT_FOUND, text).help(format!(
                    "known paths: {}; GET / shows them",
                    if self.pages.predicts { "/generate, /predict" } else { "/generate" }
                )))
            }
            Some(Route::Work(work)) if method == Method::POST => {
                let _running = Running::count(&self.running);
                self.work(work, request).await
            }
            Some(Route::Work(work)) => {
                let text = format!("/{} takes POST, not {method}", work.name());
                Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text).with(ALLOW, "POST"))
            }
            Some(_) if !reads => {
                let text = format!("{} takes GET, not {method}", request.uri().path());
                Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text).with(ALLOW, "GET, HEAD"))
            }
            Some(Route::Page(kind, text)) => Ok(response(StatusCode::OK, kind, text.into())),
            Some(Route::Health) => {
                let (status, word) = match self.stopping.load(Ordering::SeqCst) {
                    true => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
                    false => (StatusCode::OK, "ok"),
                };
                let mut health = self.pages.health.clone();
                health["status"] = word.into();
                Ok(response(status, JSON, health.to_string().into()))
            }
            Some(Route::Metrics) => {
                let now = (self.shared.queue.len(), self.running.load(Ordering::SeqCst));
                let text = self.shared.metrics.text(now);
                Ok(response(StatusCode::OK, "text/plain; version=0.0.4", text.into()))
            }
        }
    }

    /// Reads a request for the model, waits for its turn, and writes the result.
    async fn work(
        &self,
        work: Work,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Refusal> {
        let deadline = Instant::now() + self.limits.time;
        let is_npz = content_type(request.headers())?;
        let as_npz = accepted(request.headers())?;
        let body = self.body(request).await?;
        let most = self.limits.body as u64;
        let read = move || match is_npz {
            true => work.of_npz(&body, most),
            false => work.of_json(&body),
        };
        let ask: Ask = in_thread(read).await?;
        let (answer, result) = tokio::sync::oneshot::channel();
        if !self.shared.queue.push(Job { ask, arrays: as_npz, deadline, answer }) {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let text = "too many requests wait already, or the server is about to stop";
            return Err(Refusal::new(status, text).help("try again later").with(RETRY_AFTER, "1"));
        }
        let late = || {
            let seconds = self.limits.time.as_secs();
            let text = format!("the result was not there within {seconds} s");
            Refusal::new(StatusCode::GATEWAY_TIMEOUT, text)
                .help("ask for fewer rows, or start the server with a longer --timeout")
        };
        let result = match tokio::time::timeout_at(deadline.into(), result).await {
            Ok(Ok(result)) => result?,
            // Dropped unanswered, as its time is over.
            Ok(Err(_)) | Err(_) => return Err(late()),
        };
        let written = in_thread(move || written(&result, as_npz)).await?;
        Ok(response(StatusCode::OK, if as_npz { NPZ } else { JSON }, written.into()))
    }

    /// The body of a request, if it is not too long.
    async fn body(&self, request: Request<Incoming>) -> Result<Bytes, Refusal> {
        let most = self.limits.body;
        let long = || {
            let text = format!("the body is longer than {most} bytes");
            let help = "send fewer rows, or start the server with a larger --max-body";
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text).help(help)
        };
        let waits = request.headers().contains_key(EXPECT);
        let mut body = request.into_body();
        if waits && body.size_hint().lower() > most as u64 {
            return Err(long());
        }
        let mut all = Vec::new();
        let mut size = 0_usize;
        // Some of a body that is too long is read and dropped: a client that still sends might lose
        // the answer.
        let read = async {
            while size <= most.saturating_mul(4) {
                let Some(frame) = body.frame().await else { break };
                let Ok(data) = frame?.into_data() else { continue };
                size = size.saturating_add(data.len());
                if size <= most {
                    all.extend_from_slice(&data);
                }
            }
            Ok::<_, hyper::Error>(())
        };
        match tokio::time::timeout(ARRIVAL, read).await {
            Ok(Ok(())) if size > most => Err(long()),
            Ok(Ok(())) => Ok(all.into()),
            Ok(Err(e)) => {
                let text = format!("the body did not arrive: {e}");
                Err(Refusal::new(StatusCode::BAD_REQUEST, text))
            }
            Err(_) => {
                let text = format!("the body did not arrive within {} s", ARRIVAL.as_secs());
                Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text))
            }
        }
    }
}

/// Counts a request that is not answered yet, until it is dropped.
struct Running<'c>(&'c AtomicUsize);

impl<'c> Running<'c> {
    fn count(count: &'c AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs work that takes time beside the connections.
async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(|| triflow::registry::guard_engine(work)).await;
    match done {
        Ok(done) => Ok(done?),
        Err(e) => Err(Error::runtime(e.to_string()).into()),
    }
}

/// The bytes of an answer.
fn written(answer: &Answer, as_npz: bool) -> Result<Vec<u8>> {
    match answer {
        Answer::Table(table) => json::of_table(table),
        Answer::Arrays(arrays, texts) if !as_npz => json::of_arrays(arrays, texts),
        Answer::Arrays(arrays, texts) => {
            let folder = tempfile::tempdir().map_err(|e| Error::runtime(e.to_string()))?;
            let file = folder.path().join("result.npz");
            npz::write_npz_with(&file, arrays, texts)?;
            std::fs::read(&file).map_err(Error::io("read", &file))
        }
    }
}

fn response(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    if kind.starts_with("text/html") {
        let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";
        headers.insert("content-security-policy", HeaderValue::from_static(policy));
    }
    answer
}

/// True for a body in `.npz`, false for one in JSON.
fn content_type(headers: &HeaderMap) -> Result<bool, Refusal> {
    let refused = |text: String| {
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
            .help(format!("send JSON with the header Content-Type: {JSON}, or an .npz with {NPZ}"))
    };
    if let Some(coding) = headers.get(CONTENT_ENCODING).filter(|coding| *coding != "identity") {
        return Err(refused(format!("bodies are not packed, but this is in {coding:?}")));
    }
    let Some(kind) = headers.get(CONTENT_TYPE) else {
        return Err(refused("the type of the body is not given".to_owned()));
    };
    let text = kind.to_str().unwrap_or_default();
    let name = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match name.as_str() {
        JSON => Ok(false),
        name if NPZ_NAMES.contains(&name) => Ok(true),
        _ => Err(refused(format!("the type of the body is {kind:?}"))),
    }
}

/// True if the answer is to be an `.npz`, false for JSON, which it is where both are as welcome.
fn accepted(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut best = (0.0_f64, 0.0_f64);
    let mut any = false;
    for value in headers.get_all(ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
            let name = parts.next().unwrap_or_default();
            if name.is_empty() {
                continue;
            }
            any = true;
            let quality = parts.find_map(|part| part.strip_prefix("q=").map(str::to_owned));
            let quality = quality.map_or(1.0, |q| q.parse().unwrap_or(0.0));
            let all = name == "*/*" || name == "application/*";
            if all || name == JSON {
                best.0 = best.0.max(quality);
            }
            if NPZ_NAMES.contains(&name.as_str()) {
                best.1 = best.1.max(quality);
            }
        }
    }
    match (any, best) {
        (false, _) => Ok(false),
        (true, (json, npz)) if json.max(npz) > 0.0 => Ok(npz > json),
        _ => {
            let text = "the answer is in none of the types of the header Accept";
            let refusal = Refusal::new(StatusCode::NOT_ACCEPTABLE, text);
            Err(refusal.help(format!("accept {JSON} or {NPZ}")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    fn accepts(text: &str) -> Option<bool> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(text).unwrap());
        accepted(&headers).ok()
    }

    #[test]
    fn the_answer_has_the_type_that_is_most_welcome() {
        assert_eq!(accepted(&HeaderMap::new()).ok(), Some(false));
        for (text, npz) in [
            ("*/*", Some(false)),
            ("application/x-npz", Some(true)),
            ("application/json, application/x-npz", Some(false)),
            ("application/json;q=0.5, application/x-npz", Some(true)),
            ("text/html, */*;q=0.1", Some(false)),
            ("text/html", None),
            ("application/json;q=0", None),
        ] {
            assert_eq!(accepts(text), npz, "{text}");
        }
    }

    #[test]
    fn the_type_of_the_body_is_needed() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(text).unwrap());
            content_type(&headers).ok()
        };
        assert_eq!(of("application/json; charset=utf-8"), Some(false));
        assert_eq!(of("Application/X-NPZ"), Some(true));
        assert_eq!(of("application/x-www-form-urlencoded"), None);
        assert!(content_type(&HeaderMap::new()).is_err());
    }
}
