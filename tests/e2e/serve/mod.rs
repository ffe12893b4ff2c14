//! `triflow serve`: answers, refusals, batches and the end of a server.

mod client;
mod fuzz;

use crate::command::{Folder, text};
use client::{Reply, Server};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use triflow::io::{npz, to_tensor};

/// Rows of numbers.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(inner) => inner.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap_or(f64::NAN)],
    }
}

fn close(one: &[f64], other: &[f64]) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
    one.len() == other.len() && !one.is_empty() && one.iter().zip(other).all(near)
}

/// A small classifier of two moons and a server of it.
fn predicting(folder: &Folder, args: &[&str]) -> (PathBuf, Server) {
    let run = folder.tiny(&["train", "--decoder-type", "softmax"]);
    let server = Server::start(folder, &run, args);
    (run, server)
}

#[test]
fn samples_are_those_of_the_command() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen"]);
    let server = Server::start(&folder, &run, &[]);
    let made = ["generate", "--run", text(&run), "--labels", "1,0", "--n", "3", "--seed", "5"];
    folder.succeeds(&[&made[..], &["--save-z0", "--out", "s.npz"]].concat());
    let file = folder.join("s.npz");
    let array = |name: &str| -> Vec<f64> {
        let tensor = to_tensor(&npz::read_array(&file, name).unwrap()).unwrap();
        Vec::try_from(tensor.to_kind(triflow::tch::Kind::Double).flatten(0, -1)).unwrap()
    };
    // Classes are texts or numbers.
    let asked = json!({ "labels": ["1", 0], "n": 3, "seed": 5, "z0": true });
    let reply = server.ask("/generate", asked);
    // JSON has the digits of float32, which is what the file holds.
    let single = |all: Vec<f64>| all.into_iter().map(|v| v as f32).collect::<Vec<_>>();
    for name in ["samples", "labels", "z0"] {
        assert_eq!(single(numbers(&reply[name])), single(array(name)), "{name}");
    }
    // One row of conditions for each sample.
    let rows = json!({ "condition": ["1", "0", "1"], "seed": 5 });
    assert_eq!(server.ask("/generate", rows)["labels"], json!([1, 0, 1]));
    // The same as an archive, in and out.
    let headers = "Content-Type: application/x-npz\r\nAccept: application/x-npz\r\n";
    npz::write_npz(
        &folder.join("ask.npz"),
        &[
            triflow::io::NamedArray::new("n", vec![], vec![3_i64]).unwrap(),
            triflow::io::NamedArray::new("seed", vec![], vec![5_i64]).unwrap(),
        ],
    )
    .unwrap();
    let body = std::fs::read(folder.join("ask.npz")).unwrap();
    let reply = server.request("POST /generate", headers, &body);
    assert_eq!(reply.status, 200);
    assert!(reply.head.contains("application/x-npz"), "{}", reply.head);
    folder.succeeds(&[
        "generate",
        "--run",
        text(&run),
        "--n",
        "3",
        "--seed",
        "5",
        "--out",
        "t.npz",
    ]);
    std::fs::write(folder.join("u.npz"), &reply.body).unwrap();
    let of = |name: &str| npz::read_array(&folder.join(name), "samples").unwrap().data;
    assert_eq!(of("t.npz"), of("u.npz"));
    assert_eq!(server.stop("-TERM"), 0);
}

#[test]
fn predictions_are_those_of_the_command_whoever_is_answered_beside() {
    let folder = Folder::new();
    let (run, server) = predicting(&folder, &[]);
    let rows: Vec<[f64; 2]> = (0..40).map(|i| [f64::from(i) / 20.0 - 1.0, 0.3]).collect();
    let lines: String = rows.iter().map(|[a, b]| format!("{a},{b}\n")).collect();
    folder.write("x.csv", &format!("x0,x1\n{lines}"));
    let made = ["predict", "--run", text(&run), "--data", "x.csv", "--samples", "3", "--seed", "9"];
    folder.succeeds(&[&made[..], &["--out", "p.npz"]].concat());
    let array = |name: &str| -> Vec<f64> {
        let tensor = to_tensor(&npz::read_array(&folder.join("p.npz"), name).unwrap()).unwrap();
        Vec::try_from(tensor.to_kind(triflow::tch::Kind::Double).flatten(0, -1)).unwrap()
    };
    let records: Vec<Value> = rows.iter().map(|[a, b]| json!({ "x1": b, "x0": a })).collect();
    for x in [json!(rows), json!(records)] {
        let reply = server.ask("/predict", json!({ "x": x, "samples": 3, "seed": 9 }));
        assert!(close(&numbers(&reply["predictions"]), &array("predictions")));
        assert!(close(&numbers(&reply["std"]), &array("std")));
    }
    // Many at once, of different sizes and seeds, with the values that each has alone.
    let ask = |i: usize| {
        let x: Vec<_> = rows.iter().skip(i).take(1 + i % 5).collect();
        match i % 3 {
            0 => json!({ "x": x }),
            _ => json!({ "x": x, "samples": 2, "seed": i }),
        }
    };
    let alone: Vec<Value> = (0..24).map(|i| server.ask("/predict", ask(i))).collect();
    let before = batches(&server);
    let together: Vec<Value> = std::thread::scope(|scope| {
        // The first of them keeps the model busy while the others arrive.
        let long =
            scope.spawn(|| server.ask("/predict", json!({ "x": rows, "samples": 250, "seed": 1 })));
        std::thread::sleep(Duration::from_millis(100));
        let server = &server;
        let others: Vec<_> =
            (0..24).map(|i| scope.spawn(move || server.ask("/predict", ask(i)))).collect();
        long.join().unwrap();
        others.into_iter().map(|other| other.join().unwrap()).collect()
    });
    let batches = batches(&server) - before;
    assert!(batches < 20, "25 requests in {batches} batches");
    for (i, (one, other)) in alone.iter().zip(&together).enumerate() {
        let of = |reply: &Value| numbers(&reply["predictions"]);
        assert!(close(&of(one), &of(other)), "request {i}: {one} {other}");
    }
    assert_eq!(server.stop("-INT"), 0);
}

/// Number of batches so far.
fn batches(server: &Server) -> i64 {
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    let line = metrics.lines().find(|line| line.starts_with("triflow_batches_total ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn rows_of_tables_go_in_and_out_as_named_columns() {
    let folder = Folder::new();
    folder.write(
        "rows.csv",
        &std::iter::once("size,kind,day,price\n".to_owned())
            .chain((0..60).map(|i| {
                let (kind, day) = (["old", "new"][i % 2], 1 + i % 28);
                format!("{}.5,{kind},2024-01-{day:02},{}\n", i % 7, 3 * (i % 7) + i % 2)
            }))
            .collect::<String>(),
    );
    let tiny = ["--num-epochs", "1", "--device", "cpu", "--hidden-dims", "8"];
    let data = ["--data-path", "rows.csv", "--set", "data.y=price", "--set", "sampling.steps=3"];
    let run = folder.train(&[&["train"], &tiny[..], &data].concat());
    let server = Server::start(&folder, &run, &[]);
    let row = json!({ "kind": "new", "size": 2.5, "day": "2024-01-05" });
    let reply = server.ask("/predict", json!({ "x": [row, row] }));
    let prices: Vec<f64> = reply["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["price"].as_f64().unwrap())
        .collect();
    assert_eq!(prices.len(), 2);
    folder.write("x.csv", "size,kind,day\n2.5,new,2024-01-05\n2.5,new,2024-01-05\n");
    folder.succeeds(&["predict", "--run", text(&run), "--data", "x.csv", "--out", "p.csv"]);
    let written = std::fs::read_to_string(folder.join("p.csv")).unwrap();
    let own: Vec<f64> = written.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    assert!(close(&prices, &own), "{prices:?} {own:?}");
    let told = server.post("/predict", json!({ "x": [{ "kind": "new", "sise": 1, "day": null }] }));
    assert_eq!(
        (told.status, told.error()),
        (
            400,
            "x: there is no column `size`; did you mean `sise`? known columns: kind, sise, day"
                .to_owned()
        )
    );

    let generated =
        folder.train(&[&["train-gen", "--unconditional"], &tiny[..], &data[..2]].concat());
    let server = Server::start(&folder, &generated, &[]);
    let reply = server.ask("/generate", json!({ "n": 2, "seed": 1 }));
    for row in reply["rows"].as_array().unwrap() {
        assert!(["old", "new"].contains(&row["kind"].as_str().unwrap()), "{row}");
        assert!(row["day"].as_str().unwrap().starts_with("20"), "{row}");
        assert!(row["size"].is_number(), "{row}");
    }
    assert_eq!(server.post("/predict", json!({})).status, 404);
}

#[test]
fn wrong_requests_are_told_as_by_the_command() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen"]);
    let server = Server::start(&folder, &run, &["--max-rows", "50", "--max-body", "1"]);
    let told = |body: Value| {
        let reply = server.post("/generate", &body);
        assert_eq!(reply.status, 400, "{body}");
        reply.error()
    };
    assert_eq!(
        told(json!({ "sed": 1 })),
        "unknown key `sed`\n  at sed\n  help: did you mean `seed`? known keys: n, seed, seeds, \
         labels, condition, condition_lengths, lengths, z0"
    );
    assert_eq!(told(json!({ "n": 0 })), "needs at least 1, got 0\n  at n");
    assert_eq!(told(json!({ "n": "3" })), "needs a whole number, got `3`\n  at n");
    assert_eq!(told(json!([])), "needs a map of keys, got a list");
    assert_eq!(
        told(json!({ "labels": ["2"] })),
        "there is no class `2`\n  in --labels\n  help: known classes: `0`, `1`"
    );
    assert_eq!(
        told(json!({ "n": 26 })),
        "52 samples are asked for, and at most 50 are drawn\n  help: ask for fewer, several times"
    );
    assert_eq!(
        told(json!({ "labels": ["0"], "condition": ["0"] })),
        "give either `labels` or `condition`\n  at labels"
    );
    assert_eq!(told(json!({ "condition": [] })), "holds no rows\n  at condition");
    let reply = server.post("/generate", "{\"n\": 1");
    assert_eq!(reply.status, 400);
    assert!(reply.error().starts_with("the body is not JSON: EOF"), "{}", reply.error());
    let parts = server.post("/generate", json!({ "n": 0 })).json();
    assert_eq!(parts["error"]["key"], "n");
    assert_eq!(parts["error"]["message"], "needs at least 1, got 0");

    let json = "Content-Type: application/json\r\n";
    let status =
        |line: &str, headers: &str, body: &[u8]| server.request(line, headers, body).status;
    assert_eq!(status("GET /nothing", "", b""), 404);
    assert_eq!(status("POST /predict", json, b"{}"), 404);
    assert_eq!(status("POST /generate", "", b"{}"), 415);
    assert_eq!(status("POST /generate", "Content-Type: text/csv\r\n", b"{}"), 415);
    assert_eq!(status("POST /generate", &format!("{json}Content-Encoding: gzip\r\n"), b"{}"), 415);
    assert_eq!(status("POST /generate", &format!("{json}Accept: text/html\r\n"), b"{}"), 406);
    assert_eq!(status("POST /generate", "Content-Type: application/x-npz\r\n", b"PK"), 400);
    assert_eq!(status("POST /generate", json, &vec![b' '; (1 << 20) + 1]), 413);
    let reply = server.request("DELETE /generate", json, b"");
    assert_eq!(reply.status, 405);
    assert!(reply.head.to_lowercase().contains("allow: post"), "{}", reply.head);
    assert_eq!(status("POST /health", json, b"{}"), 405);
    // A body without a length ends where it is too long.
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
    let head = b"POST /generate HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let all = server.raw(&[&head[..], &chunk, &chunk, b"0\r\n\r\n"].concat());
    assert_eq!(Reply::of(&all).status, 413);
    assert_eq!(Reply::of(&server.raw(b"nonsense\r\n\r\n")).status, 400);
    assert_eq!(server.ask("/generate", json!({ "n": 1 }))["samples"].as_array().unwrap().len(), 2);
}

#[test]
fn health_counts_and_descriptions_are_there() {
    let folder = Folder::new();
    let (run, server) = predicting(&folder, &[]);
    let health = server.get("/health");
    assert_eq!(health.status, 200);
    assert_eq!(health.json()["status"], "ok");
    assert_eq!(health.json()["run"], text(&run));
    let api = server.get("/openapi.json").json();
    assert_eq!(api["openapi"], "3.1.0");
    for path in ["/generate", "/predict", "/health", "/metrics"] {
        assert!(api["paths"][path].is_object(), "{path}");
    }
    // What the description calls right is right.
    let schema =
        &api["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let schema = jsonschema::draft202012::new(schema).unwrap();
    for (body, right) in [
        (json!({ "x": [[0.5, 1]] }), true),
        (json!({ "x": [[0.5]] }), false),
        (json!({ "x": [[0.5, 1]], "samples": 0 }), false),
        (json!({ "x": [[0.5, 1]], "sample": 2 }), false),
        (json!({}), false),
    ] {
        assert_eq!(schema.is_valid(&body), right, "{body}");
        assert_eq!(server.post("/predict", &body).status == 200, right, "{body}");
    }
    let far = server.post("/predict", json!({ "x": [[0.5, 1], [0, 1e300]] }));
    assert_eq!(far.status, 400);
    assert_eq!(
        far.error(),
        "x: row 1 (counted from 0) has a number that is not finite, or more than 10^12 standard \
         deviations from the training rows"
    );
    let page = server.get("/");
    assert!(page.head.contains("text/html"), "{}", page.head);
    assert!(String::from_utf8(page.body).unwrap().contains("POST "));
    assert_eq!(server.request("HEAD /health", "", b"").body, b"");
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    for line in [
        "triflow_requests_total{path=\"/predict\",status=\"200\"} 1",
        "triflow_requests_total{path=\"/predict\",status=\"400\"} 5",
        "triflow_rows_total{work=\"predict\"} 1",
        "triflow_queue_length 0",
    ] {
        assert!(metrics.lines().any(|own| own == line), "{line}\n{metrics}");
    }
}

#[test]
fn what_has_no_place_or_time_is_refused_and_the_server_goes_on() {
    let folder = Folder::new();
    let args = ["--queue", "1", "--timeout", "2", "--batch", "1", "--max-rows", "1000000"];
    let (_, server) = predicting(&folder, &args);
    let long = json!({ "x": [[0.5, 1.0]], "samples": 1_000_000, "seed": 1 });
    let began = Instant::now();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let (server, long) = (&server, &long);
        let ask = |after: u64| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(after));
                server.post("/predict", long).status
            })
        };
        let all: Vec<_> = [0, 400, 800].map(ask).into_iter().collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    // The first is drawn, the second waits, and the third finds the queue full.
    assert_eq!(statuses, [504, 504, 503]);
    assert!(began.elapsed() < Duration::from_secs(30));
    server.ask("/predict", json!({ "x": [[0.5, 1.0]] }));
}

#[test]
fn a_server_that_is_to_stop_answers_what_has_arrived() {
    let folder = Folder::new();
    let (_, server) = predicting(&folder, &["--timeout", "600"]);
    let mut stream = server.connect();
    let body = json!({ "x": [[0.5, 1.0]], "samples": 1000, "seed": 1 }).to_string();
    let head = "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let address = server.address;
    assert_eq!(server.stop("-TERM"), 0);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let reply = Reply::of(&all);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&all));
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let told = folder.fails(&["serve", "--run", text(&run), "--port", &port.to_string()]);
    assert_eq!(
        told,
        format!("error: cannot listen on 127.0.0.1:{port}: address already in use\n  in --port")
    );
    let told = folder.fails(&["serve", "--run", text(&run), "--host", "no such host"]);
    assert!(told.starts_with("error: `no such host` is no address of this machine"), "{told}");
    assert!(folder.fails(&["serve", "--run", "nowhere"]).contains("is not a run folder"));
}
