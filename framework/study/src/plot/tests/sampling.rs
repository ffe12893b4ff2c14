//! Tests of pictures of samples, trajectories and images.

use super::*;

#[test]
fn sample_pictures() {
    let (real, real_labels) = moons(2000, 0.06, 1);
    let (mut generated, labels) = moons(2000, 0.09, 9);
    (generated.values[4], generated.values[11], generated.values[30]) = (14.0, -900.0, f64::NAN);
    let view = SampleView {
        title: "Samples · two moons".into(),
        subtitle: "Heun, 50 steps, 100 network evaluations, EMA weights, n = 2,000".into(),
        generated,
        real,
        labels: None,
        label_names: names(),
    };
    drawn("samples.png", |p| samples(p, &view));
    let labels = Some((labels, real_labels));
    drawn("samples_conditional.png", |p| {
        samples(p, &SampleView { labels: labels.clone(), ..view.clone() })
    });
    let column = |points: &Scatter| Scatter::new(points.column(0).collect(), 1);
    let one =
        SampleView { generated: column(&view.generated), real: column(&view.real), ..view.clone() };
    drawn("samples_1d.png", |p| samples(p, &one));
    drawn("samples_1d_conditional.png", |p| samples(p, &SampleView { labels, ..one }));
    let far = Scatter::new(noise(500, 2, 8).values.iter().map(|v| 30.0 * v).collect(), 2);
    drawn("samples_far.png", |p| samples(p, &SampleView { generated: far, ..view.clone() }));
    let five = SampleView { generated: noise(500, 5, 2), real: noise(700, 5, 3), ..view.clone() };
    drawn("samples_5d.png", |p| samples(p, &five));
    let single = SampleView {
        generated: Scatter::new(vec![0.0, 0.0], 2),
        real: Scatter::new(vec![1.0, 1.0], 2),
        ..view.clone()
    };
    drawn("samples_one_point.png", |p| samples(p, &single));
    let same = SampleView {
        generated: Scatter::new(vec![0.5; 80], 1),
        real: Scatter::new(vec![0.5; 90], 1),
        ..view.clone()
    };
    drawn("samples_equal.png", |p| samples(p, &same));
    refused("dimensions", |p| samples(p, &SampleView { real: noise(9, 3, 1), ..view.clone() }));
}

#[test]
fn trajectory_pictures() {
    let (ends, labels) = moons(2000, 0.06, 1);
    let mut view = walk(&ends, 30);
    view.real = Some(moons(1500, 0.06, 7).0);
    let colored = TrajectoryView { labels: Some(labels), ..view.clone() };
    let one = walk(&Scatter::new(ends.column(0).collect(), 1), 30);
    let one = TrajectoryView {
        real: view.real.as_ref().map(|r| Scatter::new(r.column(0).collect(), 1)),
        ..one
    };
    let mut five = walk(&noise(400, 5, 11), 12);
    five.times.iter_mut().for_each(|t| *t = 1.0 - *t);
    let mut torn = walk(&ends, 5);
    torn.states[2].values[7] = f64::NAN;
    torn.states[5].values[9] = f64::INFINITY;
    torn.states[5].values[12] = 1e9;
    let single = walk(&Scatter::new(vec![1.0, -1.0], 2), 1);
    let still =
        TrajectoryView { states: vec![Scatter::new(vec![1.0; 20], 2); 31], ..walk(&ends, 30) };
    let views = [
        ("", &view),
        ("_labels", &colored),
        ("_1d", &one),
        ("_5d_backwards", &five),
        ("_torn", &torn),
        ("_one_sample", &single),
        ("_still", &still),
    ];
    for (name, view) in views {
        drawn(&format!("trajectories{name}.png"), |p| trajectories(p, view));
        drawn(&format!("latent{name}.png"), |p| latent_trajectories(p, view));
        drawn(&format!("diagnostics{name}.png"), |p| trajectory_diagnostics(p, view));
    }
    let empty = TrajectoryView::default();
    let uneven = TrajectoryView {
        states: vec![noise(3, 2, 1), noise(4, 2, 1)],
        times: vec![0.0, 1.0],
        ..empty.clone()
    };
    for draw in [trajectories, latent_trajectories, trajectory_diagnostics] {
        refused("no states", |p| draw(p, &empty));
        refused("state 1", |p| draw(p, &uneven));
    }
}

/// Draws extreme numbers: a picture or an error, never a panic.
#[test]
fn strange_numbers() {
    let strange = [
        0.0,
        1e-310,
        1e300,
        -1.7e308,
        1.7e308,
        f64::NAN,
        f64::INFINITY,
        1.0,
        1e15,
        1e15 + 1.0,
        -0.0,
        1e-9,
    ];
    let mut dice = Dice(12);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("strange.png");
    for round in 0..10 {
        let dim = 1 + round % 4;
        let few = 1 + round % strange.len();
        let mut points = |n: usize| {
            let pick =
                |_| strange[(round + (dice.uniform() * few as f64) as usize) % strange.len()];
            Scatter::new((0..n * dim).map(pick).collect(), dim)
        };
        let (a, b) = (points(30), points(30));
        let states = vec![points(5), points(5), points(5)];
        let curve: Vec<Option<f64>> = a.column(0).map(Some).collect();
        let term = Term { name: "t".into(), train: curve, val: b.column(0).map(Some).collect() };
        let _ = loss_trends(&path, &LossTrends { terms: vec![term], ..LossTrends::default() });
        let trajectory = TrajectoryView {
            times: vec![0.0, 0.5, 1.0],
            states,
            real: Some(a.clone()),
            ..TrajectoryView::default()
        };
        let _ = trajectories(&path, &trajectory);
        let _ = latent_trajectories(&path, &trajectory);
        let _ = trajectory_diagnostics(&path, &trajectory);
        let _ = samples(
            &path,
            &SampleView { generated: a.clone(), real: b.clone(), ..SampleView::default() },
        );
        let data =
            DataView { condition: Some(b.clone()), target: a.clone(), ..DataView::default() };
        let _ = data_visualization(&path, &data);
        let _ = data_visualization(&path, &DataView { condition: None, ..data });
        let predicted = Predicted::Values { truth: a, predicted: b, columns: vec![] };
        let view =
            PredictionView { title: String::new(), subtitle: String::new(), x: None, predicted };
        let _ = predictions(&path, &view);
    }
}

#[test]
fn image_pictures() {
    let ramp = |n: usize| (0..n * 48).map(|i| (i % 97) as f64 / 97.0).collect::<Vec<_>>();
    let block = |title: &str, n: usize| ImageBlock {
        title: title.into(),
        columns: 4,
        images: Scatter::new(ramp(n), 48),
    };
    let view = ImageView {
        title: "Images".into(),
        subtitle: "Heun, 50 steps".into(),
        shape: [3, 4, 4],
        range: (0.0, 1.0),
        rows: vec!["0".into(), "1".into()],
        blocks: vec![block("generated", 8), block("real", 7)],
    };
    drawn("images.png", |p| images(p, &view));
    refused("channels", |p| images(p, &ImageView { shape: [2, 4, 6], ..view.clone() }));
    refused("not of shape", |p| images(p, &ImageView { shape: [3, 4, 5], ..view.clone() }));
    refused("no image", |p| images(p, &ImageView { blocks: vec![], ..view.clone() }));
}
