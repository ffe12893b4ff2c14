use super::client::{Client, Failure};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};
use triflow::prelude::*;
use ureq::http::StatusCode;

/// Largest numbers of parameters and of metrics in one request (MLflow's limits).
const BATCH: (usize, usize) = (100, 1000);
/// Largest number of characters of a parameter's value that every version stores.
const VALUE: usize = 500;
/// Name of the server in messages.
const NAME: &str = "MLflow";

triflow::component! {
    /// A run of an MLflow server: parameters, the loss terms of each epoch, metrics, and pictures.
    ///
    /// The server is asked over its REST API. A resumed run goes on in the same run there. User and
    /// password, or a token, are those of MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD and
    /// MLFLOW_TRACKING_TOKEN. Pictures are stored where the server stores files of its clients
    /// (`mlflow server` by default).
    #[reference = "https://mlflow.org/docs/latest/rest-api.html"]
    #[example = "{ type: mlflow, uri: http://127.0.0.1:5000, experiment: moons }"]
    pub struct Mlflow: Tracker = "mlflow" {
        /// Address of the server, over HTTP without TLS.
        pub uri: String,
        /// Name of the experiment there, which is made if there is none.
        pub experiment: String = "triflow".to_owned(),
        /// Name of the run there; null: objective, task and date, as the run folder has them.
        pub name: Option<String> = None,
        /// True to store the pictures of the run as well.
        pub pictures: bool = true,
    }
}

impl Spec<dyn Tracker> for Mlflow {
    fn build(&self, (): &()) -> Result<Box<dyn Tracker>> {
        if self.experiment.trim().is_empty() {
            return Err(Error::config("experiment", "needs a name"));
        }
        let client = Client::new(&self.uri, "MLFLOW_TRACKING")?;
        Ok(Box::new(Server { spec: self.clone(), client, run: Mutex::default() }))
    }
}

/// A server with the run that is recorded.
struct Server {
    spec: Mlflow,
    client: Client,
    run: Mutex<Option<RemoteRun>>,
}

/// A run on the server.
#[derive(Clone)]
struct RemoteRun {
    id: String,
    /// Path below the server's files; `None` if clients store files elsewhere.
    files: Option<String>,
}

impl Server {
    fn failed(&self, failure: Failure) -> Error {
        failure.error(NAME, &self.client)
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let done = self.client.get(&format!("api/2.0/mlflow/{path}"), query);
        done.map_err(|e| self.failed(e))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let done = self.client.post(&format!("api/2.0/mlflow/{path}"), body);
        done.map_err(|e| self.failed(e))
    }

    fn state(&self) -> Result<MutexGuard<'_, Option<RemoteRun>>> {
        self.run.lock().map_err(|e| Error::runtime(e.to_string()))
    }

    fn run(&self) -> Result<RemoteRun> {
        self.state()?.clone().ok_or_else(|| Error::runtime("there is no run on the server yet"))
    }

    /// Number of the experiment; `None` if there is none of this name.
    fn experiment(&self) -> Result<Option<String>> {
        let query = [("experiment_name", self.spec.experiment.as_str())];
        match self.client.get("api/2.0/mlflow/experiments/get-by-name", &query) {
            Ok(found) => {
                if found["experiment"]["lifecycle_stage"] == "deleted" {
                    let message = format!("`{}` was deleted on the server", self.spec.experiment);
                    return Err(Error::config("experiment", message)
                        .help("restore it there, or give another name"));
                }
                Ok(Some(text(&found["experiment"]["experiment_id"])?))
            }
            Err(Failure::Answer(StatusCode::NOT_FOUND, message))
                if message.contains("experiment") || message.contains("Experiment") =>
            {
                Ok(None)
            }
            Err(e) => Err(self.failed(e)),
        }
    }

    /// Makes a run with its parameters.
    fn create(&self, run: &TrackedRun) -> Result<RemoteRun> {
        let experiment = match self.experiment()? {
            Some(id) => id,
            None => {
                let made =
                    self.post("experiments/create", &json!({ "name": self.spec.experiment }))?;
                text(&made["experiment_id"])?
            }
        };
        let name = self.spec.name.as_deref().unwrap_or(&run.name);
        let tags = [
            ("triflow.run", run.folder.display().to_string()),
            ("mlflow.source.name", "triflow".to_owned()),
        ];
        let tags: Vec<Value> =
            tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let body = json!({
            "experiment_id": experiment, "run_name": name, "start_time": now(), "tags": tags,
        });
        let made = self.post("runs/create", &body)?;
        let remote = remote(&made)?;
        for some in run.parameters.chunks(BATCH.0) {
            let param = |(key, value): &(String, String)| {
                let value: String = match value.chars().count() > VALUE {
                    true => value.chars().take(VALUE - 1).chain(['…']).collect(),
                    false => value.clone(),
                };
                json!({ "key": key, "value": value })
            };
            let params: Vec<Value> = some.iter().map(param).collect();
            self.post("runs/log-batch", &json!({ "run_id": remote.id, "params": params }))?;
        }
        Ok(remote)
    }
}

/// The text of an answer's field.
fn text(value: &Value) -> Result<String> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| Error::runtime(format!("{NAME} answers without a name: {value}")))
}

/// The run that an answer describes.
fn remote(answer: &Value) -> Result<RemoteRun> {
    let info = &answer["run"]["info"];
    let files = info["artifact_uri"].as_str().and_then(|uri| uri.strip_prefix("mlflow-artifacts:"));
    // With or without the name of the server in front.
    let files = files.map(|path| match path.strip_prefix("//") {
        Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
        None => path,
    });
    let files = files.map(|path| path.trim_matches('/').to_owned());
    Ok(RemoteRun { id: text(&info["run_id"])?, files })
}

/// Milliseconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// A metric's name, of the characters that MLflow takes.
fn metric_name(name: &str) -> String {
    let known = |c: char| c.is_alphanumeric() || "_-. :/".contains(c);
    name.chars().map(|c| if known(c) { c } else { '_' }).collect()
}

/// A number as MLflow reads it.
fn number(value: f64) -> Value {
    match value {
        v if v.is_nan() => json!("NaN"),
        v if v.is_infinite() && v > 0.0 => json!("Infinity"),
        v if v.is_infinite() => json!("-Infinity"),
        v => json!(v),
    }
}

/// The last epoch of the loss terms that the server has.
fn last_epoch(answer: &Value) -> i64 {
    let metrics = answer["run"]["data"]["metrics"].as_array().map(Vec::as_slice);
    let step = |metric: &Value| match &metric["step"] {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    let losses = metrics.unwrap_or_default().iter().filter(|metric| {
        let key = metric["key"].as_str().unwrap_or_default();
        key.ends_with("/train") || key.ends_with("/val")
    });
    losses.filter_map(step).max().unwrap_or(0)
}

impl Tracker for Server {
    fn check(&self) -> Result<()> {
        self.experiment().map(|_| ())
    }

    fn start(&self, run: &TrackedRun) -> Result<Record> {
        let (remote, last) = match &run.kept {
            Some(id) => {
                let found = self.get("runs/get", &[("run_id", id)])?;
                self.post("runs/update", &json!({ "run_id": id, "status": "RUNNING" }))?;
                (remote(&found)?, last_epoch(&found))
            }
            None => (self.create(run)?, 0),
        };
        let keep = Some(remote.id.clone());
        *self.state()? = Some(remote);
        Ok(Record { keep, last: Some(last) })
    }

    fn epoch(&self, epoch: i64, values: &[(String, f64)]) -> Result<()> {
        let id = self.run()?.id;
        let at = now();
        for some in values.chunks(BATCH.1) {
            let metric = |(name, value): &(String, f64)| {
                let (key, value) = (metric_name(name), number(*value));
                json!({ "key": key, "value": value, "timestamp": at, "step": epoch })
            };
            let metrics: Vec<Value> = some.iter().map(metric).collect();
            self.post("runs/log-batch", &json!({ "run_id": id, "metrics": metrics }))?;
        }
        Ok(())
    }

    fn results(&self, epoch: i64, values: &[(String, f64)]) -> Result<()> {
        self.epoch(epoch, values)
    }

    fn file(&self, path: &Path) -> Result<()> {
        if !self.spec.pictures {
            return Ok(());
        }
        let Some(files) = self.run()?.files else {
            return Err(Error::runtime("the server stores no files of its clients"));
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kind = match path.extension().and_then(|ending| ending.to_str()) {
            Some("png") => "image/png",
            Some("json") => "application/json",
            Some("csv") => "text/csv",
            _ => "application/octet-stream",
        };
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let to = format!("api/2.0/mlflow-artifacts/artifacts/{files}/{name}");
        self.client.put(&to, kind, &bytes).map(|_| ()).map_err(|e| self.failed(e))
    }

    fn end(&self, how: Ending) -> Result<()> {
        let status = match how {
            Ending::Finished => "FINISHED",
            Ending::Interrupted => "KILLED",
            Ending::Failed => "FAILED",
        };
        let id = self.run()?.id;
        let body = json!({ "run_id": id, "status": status, "end_time": now() });
        self.post("runs/update", &body).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn an_address_without_a_server_over_http_is_refused() {
        let told = |uri: &str| {
            let spec = Mlflow::new(uri.to_owned());
            spec.build(&()).err().map(|e| e.to_string()).unwrap_or_default()
        };
        assert_eq!(told("http://127.0.0.1:5000/"), "");
        assert!(told("https://example.org").contains("TLS is not built in"));
        assert!(told("127.0.0.1:5000").contains("is no address of a server"));
        assert!(told("http://").contains("is no address of a server"));
        assert!(told("http://me:secret@host").contains("would be written down"));
    }

    #[test]
    fn names_and_numbers_are_those_that_the_server_takes() {
        assert_eq!(metric_name("a/b_c(d)"), "a/b_c_d_");
        assert_eq!(number(f64::NAN), json!("NaN"));
        assert_eq!(number(f64::NEG_INFINITY), json!("-Infinity"));
        assert_eq!(number(0.5), json!(0.5));
    }

    #[test]
    fn files_lie_below_the_path_of_the_run() {
        let of = |uri: &str| {
            let answer = json!({ "run": { "info": { "run_id": "a", "artifact_uri": uri } } });
            remote(&answer).unwrap().files
        };
        assert_eq!(of("mlflow-artifacts:/0/a/artifacts").as_deref(), Some("0/a/artifacts"));
        assert_eq!(of("mlflow-artifacts://host:1/0/a/artifacts").as_deref(), Some("0/a/artifacts"));
        assert_eq!(of("file:///tmp/a"), None);
    }

    #[test]
    fn the_last_epoch_is_that_of_the_losses() {
        let answer = json!({ "run": { "data": { "metrics": [
            { "key": "total/train", "step": "3" },
            { "key": "total/val", "step": 4 },
            { "key": "w2", "step": 9 },
        ] } } });
        assert_eq!((last_epoch(&answer), last_epoch(&json!({}))), (4, 0));
    }
}
