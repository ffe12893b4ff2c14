//! Bodies that are wrong in some way, by the hundred: each has an answer, none ends the server.

use super::client::Server;
use super::predicting;
use crate::command::Folder;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// Values of all types, also odd ones.
fn odd(rng: &mut SmallRng) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(1e308),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("0"),
        json!("\u{0}\u{10ffff}"),
        json!("x".repeat(3000)),
        json!([]),
        json!({}),
        json!([[]]),
        json!([[], []]),
        json!([null]),
        json!([[null, null]]),
        json!([[[0.5, 1.0]]]),
        json!([{ "x0": 1 }]),
        json!([{ "": 1 }]),
        json!([{ "x0": "a", "x1": null }]),
        json!([{ "x0": 1, "x1": { "a": 1 } }]),
        json!([[1, 2], [3]]),
        json!([["a", "b"]]),
        json!(["a", "b"]),
        json!([1e300, -1e300]),
        json!([[1e300, -1e300]]),
        json!({ "type": "adam" }),
    ];
    all.choose(rng).unwrap().clone()
}

/// Changes one place of a value.
fn change(value: &mut Value, rng: &mut SmallRng) {
    let deeper = rng.random_bool(0.6);
    match value {
        Value::Object(map) if deeper && !map.is_empty() => {
            let i = rng.random_range(0..map.len());
            let key = map.keys().nth(i).unwrap().clone();
            match rng.random_range(0..4) {
                0 => {
                    map.remove(&key);
                }
                1 => {
                    let own = map.remove(&key).unwrap();
                    map.insert(format!("{key}_"), own);
                }
                _ => change(map.get_mut(&key).unwrap(), rng),
            }
        }
        Value::Array(all) if deeper && !all.is_empty() => {
            let i = rng.random_range(0..all.len());
            match rng.random_range(0..4) {
                0 => {
                    all.remove(i);
                }
                1 => all.push(odd(rng)),
                _ => change(&mut all[i], rng),
            }
        }
        other => *other = odd(rng),
    }
}

/// Changes one byte, or cuts the text.
fn damage(text: &mut Vec<u8>, rng: &mut SmallRng) {
    let at = rng.random_range(0..text.len());
    match rng.random_range(0..3) {
        0 => text.truncate(at),
        1 => text[at] = rng.random(),
        _ => text.insert(at, *b"{}[]\",:\\0e".choose(rng).unwrap()),
    }
}

/// Checks one answer.
fn check(server: &Server, path: &str, body: &[u8]) -> u16 {
    let line = format!("POST {path}");
    let reply = server.request(&line, "Content-Type: application/json\r\n", body);
    let shown = || {
        format!(
            "{path} {}: {}",
            String::from_utf8_lossy(body),
            String::from_utf8_lossy(&reply.body)
        )
    };
    assert!([200, 400].contains(&reply.status), "{} {}", reply.status, shown());
    if reply.status == 400 {
        let told = reply.error();
        assert!(!told.is_empty() && !told.contains("/tmp"), "{}", shown());
    }
    reply.status
}

#[test]
fn bodies_that_are_wrong_in_some_way_are_answered_and_end_nothing() {
    let folder = Folder::new();
    let (_, mut server) = predicting(&folder, &["--max-rows", "200"]);
    let mut rng = SmallRng::seed_from_u64(7);
    let right = [
        ("/predict", json!({ "x": [[0.5, 1.0], [0.1, 0.2]], "samples": 2, "seed": 3 })),
        ("/predict", json!({ "x": [{ "x0": 0.5, "x1": 1 }], "seeds": [3] })),
        ("/generate", json!({ "condition": [[0.5, 1.0]], "n": 2, "z0": true })),
    ];
    for (path, body) in &right {
        assert_eq!(check(&server, path, body.to_string().as_bytes()), 200, "{body}");
    }
    let mut refused = 0;
    for i in 0..400 {
        let (path, mut body) = right[i % right.len()].clone();
        for _ in 0..rng.random_range(1..4) {
            change(&mut body, &mut rng);
        }
        let mut text = body.to_string().into_bytes();
        if i % 4 == 0 {
            damage(&mut text, &mut rng);
        }
        refused += usize::from(check(&server, path, &text) == 400);
    }
    assert!((100..400).contains(&refused), "{refused} of 400 are refused");
    // Archives as well.
    let file = folder.join("x.npz");
    let x = triflow::io::NamedArray::new("x", vec![2, 2], vec![0.5_f32; 4]).unwrap();
    let seed = triflow::io::NamedArray::new("seed", vec![], vec![3_i64]).unwrap();
    triflow::io::npz::write_npz(&file, &[x, seed]).unwrap();
    let archive = std::fs::read(&file).unwrap();
    let headers = "Content-Type: application/x-npz\r\n";
    assert_eq!(server.request("POST /predict", headers, &archive).status, 200);
    for _ in 0..100 {
        let mut text = archive.clone();
        for _ in 0..rng.random_range(1..4) {
            damage(&mut text, &mut rng);
            if text.is_empty() {
                break;
            }
        }
        let status = server.request("POST /predict", headers, &text).status;
        assert!([200, 400].contains(&status), "{status}");
    }
    assert!(server.lives());
}
