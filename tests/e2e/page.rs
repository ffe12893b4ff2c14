//! The report of a comparison in a real browser, used by pointer, by keyboard, in dark mode, on a
//! narrow screen and on paper.

use crate::browser::Browser;
use crate::command::Folder;
use serde_json::json;

const COMPARISON: &str = "
task: generation
unconditional: true
data: { type: two_moons, samples: 600, val_samples: 50, test_samples: 100 }
crn: { network: { hidden_dims: [16] } }
training: { epochs: 3, batch_size: 200 }
comparison:
  over: { objective: [flow_matching, ct, diffusion] }
  seeds: 2
  draws: 1
  points: 100
  curve: { solvers: [euler, midpoint], nfe: [2, 4, 8], points: 100 }
";

/// JavaScript for the first column of the first table, in its current order.
const NAMES: &str = "[...document.querySelector('table.sortable').tBodies[0].rows].map(row => row.cells[0].textContent)";
/// JavaScript for the keys that the second column is sorted by.
const KEYS: &str = "[...document.querySelector('table.sortable').tBodies[0].rows].map(row => Number(row.cells[1].dataset.key))";
/// JavaScript for the visible pictures without a drawing.
const EMPTY: &str = "[...document.querySelectorAll('.picture')].filter(p => p.checkVisibility() && p.querySelectorAll('svg *').length < 8).map(p => p.id)";
/// JavaScript that shows the norm of the gradient: the curves that there are, the number of cells
/// with this one, and whether the axis says what it is.
const GRADIENT_NORM: &str = "(() => { const curve = document.getElementById('course'); curve.value = 'gradient_norm'; curve.dispatchEvent(new Event('change')); const picture = document.getElementById('loss'); return [[...curve.options].map(o => o.value), picture.querySelectorAll('title').length, picture.textContent.includes('Gradient norm')]; })()";
const BACKGROUND: &str = "getComputedStyle(document.body).backgroundColor";
const MOVING: &str =
    "[...document.querySelectorAll('#motion-panels canvas')].map(c => c.toDataURL())";

#[test]
fn the_report_works_as_it_is_used() {
    let folder = Folder::new();
    folder.write("c.yaml", COMPARISON);
    folder.succeeds(&["compare", "--config", "c.yaml", "--out", "out"]);
    let Some(mut page) = Browser::open(&folder.join("out/report.html")) else { return };
    let shots = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));

    // Everything is drawn.
    assert_eq!(page.eval(EMPTY), json!([]));
    let shown = "[...document.querySelectorAll('section')].filter(s => !s.hidden).length";
    assert_eq!(page.eval(shown), 10);
    let panels =
        "['sample', 'motion'].map(k => document.querySelectorAll(`#${k}-panels canvas`).length)";
    assert_eq!(page.eval(panels), json!([4, 3]), "real data and three cells; three cells");
    let blank = "[...document.querySelectorAll('canvas')].filter(c => !c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)).length";
    assert_eq!(page.eval(blank), 0);
    page.screenshot(&shots.join("report-light.png"));

    // The norm of the gradient is shown in place of the loss.
    let curves = page.eval(GRADIENT_NORM);
    assert_eq!(curves, json!([["train", "val", "gradient_norm"], 3, true]));
    page.screenshot(&shots.join("report-gradient.png"));

    // With the keyboard alone: past the bar, through a table, along the slider, into a cell and
    // back.
    page.press("Tab");
    assert_eq!(page.eval("document.activeElement.className"), "skip");
    page.press("Enter");
    assert_eq!(page.eval("document.activeElement.id"), "main");
    page.eval("document.querySelector('table.sortable thead th:nth-child(2) button').focus(); 1");
    for way in ["ascending", "descending"] {
        page.press("Enter");
        let direction =
            page.eval("document.querySelector('table.sortable thead th:nth-child(2)').ariaSort");
        assert_eq!(direction, way);
        let keys: Vec<f64> = serde_json::from_value(page.eval(KEYS)).unwrap();
        assert_eq!(keys.len(), 3);
        let sorted = |a: &f64, b: &f64| if way == "ascending" { a <= b } else { a >= b };
        assert!(keys.is_sorted_by(sorted), "{way}: {keys:?}");
    }
    let names = page.eval(NAMES);
    let end = page.eval(MOVING);
    page.eval("document.getElementById('time').focus(); 1");
    page.press("Home");
    assert_eq!(page.eval("document.getElementById('time-value').textContent"), "t = 0.00");
    let start = page.eval(MOVING);
    for (start, end) in start.as_array().unwrap().iter().zip(end.as_array().unwrap()) {
        assert_ne!(start, end, "a panel stood still");
    }
    page.press("ArrowRight");
    assert_ne!(page.eval(MOVING), start);
    page.eval("document.querySelector('[data-open]').focus(); 1");
    page.press("Enter");
    assert_eq!(page.eval("document.getElementById('cell').open"), true);
    let about = page.eval("document.getElementById('cell-body').textContent");
    assert!(about.as_str().unwrap().contains("objective"), "{about}");
    page.press("Escape");
    assert_eq!(page.eval("document.getElementById('cell').open"), false);
    assert_eq!(
        page.eval("document.activeElement.dataset.open !== undefined"),
        true,
        "focus is lost"
    );

    // The pointer on a cell's mark fades the others until it leaves.
    let faded = "document.querySelectorAll('#forest g[style*=\"0.12\"]').length";
    page.point_at("#forest g[data-cell] text");
    assert_eq!(page.eval(faded), 2);
    page.point_at("h1");
    assert_eq!(page.eval(faded), 0);

    // The bar marks the current section.
    page.eval("document.getElementById('schedules').scrollIntoView(); 1");
    page.settle();
    let current = "[...document.querySelectorAll('nav [aria-current]')].map(a => a.textContent)";
    assert_eq!(page.eval(current), json!(["Schedules"]));

    // Dark mode by the system's setting, and by the button.
    let (light, drawn) = (page.eval(BACKGROUND), page.eval(MOVING));
    page.media("screen", "dark");
    let dark = page.eval(BACKGROUND);
    assert_ne!(dark, light);
    assert_ne!(page.eval(MOVING), drawn);
    page.screenshot(&shots.join("report-dark.png"));
    page.eval("document.getElementById('theme').click(); 1");
    assert_eq!(page.eval(BACKGROUND), light);
    page.eval("document.getElementById('theme').click(); 1");
    assert_eq!(page.eval(BACKGROUND), dark);

    // On paper the background is white, every cell is shown in full, and there are no buttons.
    page.media("print", "dark");
    assert_eq!(page.eval(BACKGROUND), light);
    assert_eq!(page.eval("document.querySelector('.bar').checkVisibility()"), false);
    let pdf = page.pdf();
    assert!(pdf.starts_with(b"%PDF"));
    std::fs::write(shots.join("report.pdf"), pdf).unwrap();

    // On a phone nothing extends beyond the screen.
    page.media("screen", "light");
    page.size(390, 800);
    page.settle();
    assert_eq!(page.eval("document.documentElement.scrollWidth"), 390);
    page.screenshot(&shots.join("report-narrow.png"));

    assert_eq!(page.complaints(), Vec::<serde_json::Value>::new());
    let foreign: Vec<&str> = page
        .requests()
        .into_iter()
        .filter(|url| !url.starts_with("data:") && !url.ends_with("/out/report.html"))
        .collect();
    assert!(foreign.is_empty(), "the page asks for {foreign:?}");
    assert_eq!(page.eval(NAMES), names, "the order of the table is kept");
}

#[test]
fn rows_of_a_table_are_drawn_for_the_best_cell_and_their_differences_for_every_cell() {
    let folder = Folder::new();
    let row = |i: usize| format!("{},{},{}\n", i % 7, ["a", "b"][i % 2], i % 7 + i % 3);
    folder.write("d.csv", &format!("size,kind,<sum>\n{}", (0..200).map(row).collect::<String>()));
    folder.write(
        "c.yaml",
        "task: generation
unconditional: true
data: { type: table, path: d.csv }
crn: { network: { hidden_dims: [8] } }
training: { epochs: 1 }
comparison: { over: { objective: [flow_matching, ct] }, seeds: 1, draws: 1 }
",
    );
    folder.succeeds(&["compare", "--config", "c.yaml", "--out", "out"]);
    let Some(mut page) = Browser::open(&folder.join("out/report.html")) else { return };
    let pictures = "[...document.querySelectorAll('#tables img')].map(i => i.naturalWidth > 999)";
    assert_eq!(page.eval(pictures), json!([true, true, true]));
    let drawn = "[...document.querySelectorAll('#tables canvas')].map(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v))";
    assert_eq!(page.eval(drawn), json!([true, true]));
    let names = "document.querySelector('#tables figcaption').textContent.includes('<sum>')";
    assert_eq!(page.eval(names), true);
}
