//! Trackers: what a run tells a server, here a stand-in for MLflow's, and what follows where there
//! is none.

use crate::command::{Folder, TINY, text};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request: method and path, and the body, JSON or the number of its bytes.
type Seen = (String, Value);

/// A server that answers as MLflow's does, and keeps what it was asked.
#[derive(Clone)]
struct StandIn {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Epoch from which on it breaks every connection.
    away_from: Arc<Mutex<Option<i64>>>,
}

impl StandIn {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = Self { port, seen: Arc::default(), away_from: Arc::default() };
        let server = own.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || while server.answer(&stream).is_some() {});
            }
        });
        own
    }

    /// Answers one request of a connection; `None` at its end.
    fn answer(&self, mut stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let what = line.rsplit_once(' ')?.0.to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(n) = header.strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| json!(body.len()));
        let step = body["metrics"][0]["step"].as_i64();
        let mut away = self.away_from.lock().unwrap();
        if away.is_some_and(|from| step.unwrap_or(if from == 0 { 0 } else { -1 }) >= from) {
            // From now on at every request.
            *away = Some(0);
            return None;
        }
        drop(away);
        let (status, reply) = self.reply(&what);
        self.seen.lock().unwrap().push((what, body));
        let reply = reply.to_string();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{reply}",
            reply.len()
        )
        .ok()
    }

    fn reply(&self, what: &str) -> (&'static str, Value) {
        let run = |data: Value| {
            json!({ "run": { "data": data, "info": {
                "run_id": "r1", "artifact_uri": "mlflow-artifacts:/7/r1/artifacts",
            } } })
        };
        let path = what.split(['?', ' ']).nth(1).unwrap();
        match path.strip_prefix("/api/2.0/mlflow/").unwrap_or(path) {
            "experiments/get-by-name" => {
                let message = "Could not find experiment with name 'triflow'";
                let error = json!({ "error_code": "RESOURCE_DOES_NOT_EXIST", "message": message });
                ("404 NOT FOUND", error)
            }
            "experiments/create" => ("200 OK", json!({ "experiment_id": "7" })),
            "runs/create" => ("200 OK", run(json!({}))),
            "runs/get" => {
                let metrics: Vec<Value> = self.metrics();
                ("200 OK", run(json!({ "metrics": metrics })))
            }
            _ => ("200 OK", json!({})),
        }
    }

    /// Bodies of the requests to a path, in their order.
    fn bodies(&self, what: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        let at = seen.iter().filter(|(path, _)| path.contains(what));
        at.map(|(_, body)| body.clone()).collect()
    }

    /// All metrics so far.
    fn metrics(&self) -> Vec<Value> {
        let all = self.bodies("runs/log-batch");
        all.iter().filter_map(|body| body["metrics"].as_array()).flatten().cloned().collect()
    }

    /// Steps of a metric.
    fn steps(&self, key: &str) -> Vec<i64> {
        let metrics = self.metrics();
        let own = metrics.iter().filter(|metric| metric["key"] == key);
        own.map(|metric| metric["step"].as_i64().unwrap()).collect()
    }

    /// The states that the run was given, in their order.
    fn states(&self) -> Vec<Value> {
        self.bodies("runs/update").iter().map(|body| body["status"].clone()).collect()
    }

    fn tracking(&self) -> String {
        format!("tracking=[tensorboard, {{type: mlflow, uri: 'http://127.0.0.1:{}'}}]", self.port)
    }
}

#[test]
fn a_run_is_recorded_with_its_parameters_losses_metrics_and_pictures() {
    let folder = Folder::new();
    let server = StandIn::start();
    let run = folder.tiny(&["train-gen", "--set", &server.tracking()]);
    let params: Vec<Value> = server
        .bodies("runs/log-batch")
        .iter()
        .filter_map(|body| body["params"].as_array().cloned())
        .flatten()
        .collect();
    for (key, value) in [("training.epochs", "2"), ("objective.type", "flow_matching")] {
        assert!(params.contains(&json!({ "key": key, "value": value })), "{key}: {params:?}");
    }
    let json = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(run.join(name)).unwrap()).unwrap()
    };
    assert_eq!(server.steps("total/train"), [1, 2]);
    assert_eq!(server.steps("total/val"), [1, 2]);
    let csv = std::fs::read_to_string(run.join("history.csv")).unwrap();
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let place = names.iter().position(|name| name.contains("total")).unwrap();
    let metrics = server.metrics();
    for (line, epoch) in lines.zip(1..) {
        let is = |m: &&Value| m["key"] == "total/train" && m["step"] == epoch;
        let value = metrics.iter().find(is).unwrap()["value"].as_f64().unwrap();
        assert_eq!(value, line[place].parse::<f64>().unwrap(), "{names:?} {line:?}");
    }
    let w2 = json("metrics.json")["metrics"]["w2"]["mean"].as_f64();
    let sent = metrics.iter().find(|m| m["key"].as_str().unwrap().contains("w2")).unwrap();
    assert!(w2.is_none() || sent["value"].as_f64() == w2, "{sent} {w2:?}");
    let put: Vec<String> = {
        let seen = server.seen.lock().unwrap();
        let all = seen.iter().filter(|(what, _)| what.starts_with("PUT "));
        all.map(|(what, _)| what.rsplit('/').next().unwrap().to_owned()).collect()
    };
    assert!(put.contains(&"loss_trends.png".to_owned()), "{put:?}");
    assert_eq!(server.states(), ["FINISHED"]);
    assert_eq!(json("trackers.json"), json!([null, "r1"]));
    let events = std::fs::read_dir(&run).unwrap().flatten();
    let is_event = |name: std::ffi::OsString| name.to_string_lossy().contains("tfevents");
    assert_eq!(events.filter(|file| is_event(file.file_name())).count(), 1);
}

#[test]
fn a_server_that_does_not_answer_is_told_before_a_run_folder_is_made() {
    let folder = Folder::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tracking = format!("tracking=[{{type: mlflow, uri: 'http://127.0.0.1:{free}'}}]");
    let told = folder.fails(&[&["train-gen"], &TINY[..], &["--set", &tracking]].concat());
    let start = format!("error: MLflow at http://127.0.0.1:{free} does not answer: ");
    assert!(told.starts_with(&start), "{told}");
    assert!(told.contains("\n  at tracking[0].uri"), "{told}");
    assert!(!folder.join("artifacts").exists());
    let told = folder.fails(&["train-gen", "--set", "tracking=[{type: mlflow, uri: 'https://a'}]"]);
    assert!(told.starts_with("error: `https://a`: TLS is not built in"), "{told}");
    let told = folder.fails(&["train-gen", "--set", "tracking=[mlflow]"]);
    assert!(told.starts_with("error: `uri` is missing"), "{told}");
}

#[test]
fn a_server_that_goes_away_stops_no_training() {
    let folder = Folder::new();
    let server = StandIn::start();
    *server.away_from.lock().unwrap() = Some(2);
    let tracking = server.tracking();
    let mut args: Vec<&str> = [&["train-gen"], &TINY[..], &["--set", &tracking]].concat();
    args[2] = "4";
    let done = folder.command(&args).output().unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert_eq!(told.matches("mlflow does not record the run").count(), 1, "{told}");
    assert_eq!(server.steps("total/train"), [1]);
}

#[test]
fn a_resumed_run_goes_on_in_the_same_record() {
    let folder = Folder::new();
    let server = StandIn::start();
    let tracking = server.tracking();
    let mut args: Vec<&str> = [&["train-gen"], &TINY[..], &["--set", &tracking]].concat();
    args[2] = "400";
    args.extend(["--set", "checkpoint.every=3 epochs", "--run-dir", "run"]);
    let mut command = folder.command(&args);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while server.steps("total/train").len() < 8 {
        assert!(began.elapsed() < Duration::from_secs(120), "{:?}", server.steps("total/train"));
        std::thread::sleep(Duration::from_millis(5));
    }
    // Killed: the epochs after the last checkpoint end a second time.
    child.kill().unwrap();
    child.wait().unwrap();
    let known = server.steps("total/train").len();
    assert!(known < 400, "the run was too short");
    let run = folder.join("run");
    folder.succeeds(&["resume", "--run", text(&run)]);
    assert_eq!(server.steps("total/train"), (1..=400).collect::<Vec<i64>>());
    assert_eq!(server.bodies("runs/create").len(), 1);
    assert_eq!(server.states(), ["RUNNING", "FINISHED"]);
}
