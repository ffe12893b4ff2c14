//! The folder of a comparison, several of its files in one input.

use std::path::Path;
use triflow::compare::{self, Plan};

const FILES: [&str; 6] = [
    "plan.json",
    "runs/u/seed_1/manifest.json",
    "runs/u/seed_1/trained.json",
    "runs/u/seed_1/sampled_s.json",
    "runs/u/seed_1/measured_m.json",
    "runs/u/seed_1/error.txt",
];

pub fn run(folder: &Path, data: &[u8]) {
    if super::parts::names_plugins(&String::from_utf8_lossy(data)) {
        return;
    }
    super::parts::defaults();
    let folder = &folder.join("comparison");
    for name in FILES {
        let _ = std::fs::remove_file(folder.join(name));
    }
    for (name, content) in super::parts::files(data, &FILES) {
        let _ = super::write(folder, name, content);
    }
    let Ok(plan) = Plan::read(folder) else { return };
    let left = compare::left(&plan, folder, &|_| true);
    for left in &left {
        compare::fail(&left.job, folder, "it was not tried");
    }
    let _ = compare::standing(&plan, folder).sentences();
    if let Ok(results) = compare::collect(&plan, folder) {
        let _ = compare::write(&results, folder);
    }
    let _ = plan.write(folder);
}
