//! Contents of every kind of picture: each panel has marks of its series' colours and of no others.

use super::training::losses;
use super::*;
use crate::plot::style::{
    BLUE, Color, GREEN, GREY, INK, PALE, SOFT_INK, VERMILION, category, sequence,
};

/// Draws a picture, and checks that its panels show these colours.
fn shows(name: &str, panels: &[Vec<Color>], draw: impl FnOnce(&Path) -> Result<()>) -> Picture {
    let picture = drawn(name, draw);
    picture.shows(panels);
    picture
}

/// The colours of two labels.
fn moon_colors() -> Vec<Color> {
    vec![category(0), category(1)]
}

fn column(points: &Scatter) -> Scatter {
    Scatter::new(points.column(0).collect(), 1)
}

#[test]
fn losses_show_training_and_validation_in_every_panel() {
    let mut view = losses(80);
    shows("content_loss.png", &vec![vec![BLUE, VERMILION]; 4], |p| loss_trends(p, &view));
    let marked = LossTrends { kept: Some(62), stopped: Some("no gain".into()), ..view.clone() };
    let colors = vec![vec![BLUE, VERMILION, GREEN, INK]; 4];
    shows("content_loss_stopped.png", &colors, |p| loss_trends(p, &marked));
    view.terms.truncate(1);
    view.terms[0].val.clear();
    shows("content_loss_training.png", &[vec![BLUE]], |p| loss_trends(p, &view));
}

#[test]
fn data_show_every_label_and_every_output() {
    let (target, labels) = moons(1500, 0.06, 1);
    let view = DataView {
        title: "Data · two moons".into(),
        target: target.clone(),
        labels: Some(labels),
        label_names: names(),
        split_name: "training data, 1,500 points".into(),
        condition: None,
    };
    let plain = DataView { labels: None, ..view.clone() };
    shows("content_data.png", &[moon_colors()], |p| data_visualization(p, &view));
    shows("content_data_plain.png", &[vec![BLUE]], |p| data_visualization(p, &plain));
    let one = DataView { target: column(&target), ..view };
    let picture = shows("content_data_1d.png", &[moon_colors()], |p| data_visualization(p, &one));
    moon_colors().into_iter().for_each(|color| picture.covers(0, color.fade(0.4)));
    let bars = DataView { labels: None, ..one };
    shows("content_data_1d_plain.png", &[vec![BLUE]], |p| data_visualization(p, &bars))
        .covers(0, BLUE.fade(0.75));

    let against = DataView { condition: Some(column(&target)), ..bars };
    shows("content_data_1_to_1.png", &[vec![BLUE]], |p| data_visualization(p, &against));
    let colored: Vec<Color> = [0.3, 0.5, 0.7].map(sequence).into();
    let two = DataView { condition: Some(column(&target)), ..plain.clone() };
    let panels = [vec![BLUE], vec![BLUE], colored.clone()];
    drawn("content_data_1_to_2.png", |p| data_visualization(p, &two)).has(&panels);
    let plane = DataView { condition: Some(target.clone()), target: column(&target), ..plain };
    drawn("content_data_2_to_1.png", |p| data_visualization(p, &plane)).has(&[colored]);
}

#[test]
fn samples_show_the_generated_and_the_real() {
    let ((real, real_labels), (generated, labels)) = (moons(2000, 0.06, 1), moons(2000, 0.06, 9));
    let view = SampleView {
        title: "Samples · two moons".into(),
        generated,
        real,
        label_names: names(),
        ..SampleView::default()
    };
    shows("content_samples.png", &[vec![BLUE], vec![GREY]], |p| samples(p, &view));
    let colored = SampleView { labels: Some((labels, real_labels)), ..view.clone() };
    let panels = [moon_colors(), moon_colors()];
    shows("content_samples_labels.png", &panels, |p| samples(p, &colored));
    let one =
        SampleView { generated: column(&view.generated), real: column(&view.real), ..view.clone() };
    let picture =
        shows("content_samples_1d.png", &[vec![BLUE, INK], vec![GREY, INK]], |p| samples(p, &one));
    [BLUE, GREY].iter().enumerate().for_each(|(i, color)| picture.covers(i, color.fade(0.75)));
}

#[test]
fn trajectories_show_paths_their_ends_and_the_cloud_at_every_moment() {
    let (ends, labels) = moons(2000, 0.06, 1);
    let view = TrajectoryView { real: Some(moons(1500, 0.06, 7).0), ..walk(&ends, 30) };
    let panels = |paths: Vec<Color>, cloud: Vec<Color>| [vec![paths], vec![cloud; 6]].concat();
    let drawn = panels(vec![INK.fade(0.22), VERMILION, BLUE, PALE], vec![BLUE, PALE]);
    shows("content_trajectories.png", &drawn, |p| trajectories(p, &view));
    let colored = TrajectoryView { labels: Some(labels), ..view.clone() };
    let paths = vec![category(0), category(1), SOFT_INK, PALE];
    let drawn = panels(paths, vec![category(0), category(1), PALE]);
    shows("content_trajectories_labels.png", &drawn, |p| trajectories(p, &colored));
    let one = TrajectoryView { real: view.real.as_ref().map(column), ..walk(&column(&ends), 30) };
    let drawn = panels(vec![INK.fade(0.22), VERMILION, BLUE], vec![BLUE, PALE]);
    let picture = shows("content_trajectories_1d.png", &drawn, |p| trajectories(p, &one));
    (1..7).for_each(|moment| picture.covers(moment, BLUE.fade(0.6)));

    let coordinate = vec![BLUE, INK, VERMILION];
    let picture =
        shows("content_latent.png", &vec![coordinate; 2], |p| latent_trajectories(p, &view));
    (0..2).for_each(|coordinate| picture.covers(coordinate, BLUE.fade(0.14)));
    let panels = [vec![BLUE, GREY], vec![BLUE], vec![BLUE], vec![BLUE, INK, VERMILION]];
    let picture = shows("content_diagnostics.png", &panels, |p| trajectory_diagnostics(p, &view));
    (0..3).for_each(|course| picture.covers(course, BLUE.fade(0.2)));
    picture.covers(3, BLUE.fade(0.75));
}

#[test]
fn predictions_show_points_errors_and_the_diagonal() {
    let (x, truth) = moons(1500, 0.18, 1);
    let predicted = (0..x.len()).map(|i| usize::from(x.row(i)[1] < 0.25)).collect();
    let view = PredictionView {
        title: "Predictions · two moons".into(),
        subtitle: String::new(),
        x: Some(x),
        predicted: Predicted::Classes { truth, predicted, names: names() },
    };
    let panels = [vec![BLUE.fade(0.5)], [moon_colors(), vec![INK]].concat()];
    shows("content_predictions_classes.png", &panels, |p| predictions(p, &view));
    let truth = noise(800, 2, 3);
    let predicted = Scatter::new(truth.values.iter().map(|v| 0.8 * v).collect(), 2);
    let predicted = Predicted::Values { truth, predicted, columns: vec![] };
    let view = PredictionView { x: None, predicted, ..view };
    shows("content_predictions.png", &vec![vec![BLUE, INK]; 2], |p| predictions(p, &view));
}

#[test]
fn series_show_the_observed_the_predicted_and_the_band() {
    let wave = |shift: f64, features: usize| {
        let value = |i: usize| (0.2 * (i / features) as f64).sin() + shift + (i % features) as f64;
        Series { values: (0..40 * features).map(value).collect(), features }
    };
    let example = SeriesExample {
        truth: wave(0.0, 2),
        predicted: Some(wave(0.1, 2)),
        band: Some((wave(-0.4, 2), wave(0.5, 2))),
    };
    let mut view = SeriesView {
        title: "Predictions".into(),
        subtitle: String::new(),
        band_name: "90 % of the draws".into(),
        examples: vec![example; 2],
    };
    let panels = vec![vec![INK, BLUE]; 4];
    let picture = shows("content_series.png", &panels, |p| series(p, &view));
    (0..4).for_each(|panel| picture.covers(panel, BLUE.fade(0.25)));
    for example in &mut view.examples {
        *example = SeriesExample { predicted: None, band: None, ..example.clone() };
    }
    shows("content_series_observed.png", &vec![vec![INK]; 4], |p| series(p, &view));

    let (real, generated) = (vec![wave(0.0, 2); 5], vec![wave(0.3, 2); 5]);
    let panels = [vec![INK], vec![INK], vec![VERMILION], vec![VERMILION]];
    shows("content_series_samples.png", &panels, |p| {
        series_samples(p, "Series", "", &real, &generated)
    });
}

#[test]
fn quality_shows_every_curve_and_the_floor() {
    let curve = |name: &str, points: &[(f64, f64)]| QualityCurve {
        name: name.into(),
        points: points.into(),
    };
    let view = QualityView {
        title: "Quality".into(),
        metric: "energy distance".into(),
        curves: vec![
            curve("euler", &[(4.0, 0.9), (16.0, 0.3), (64.0, 0.1)]),
            curve("heun", &[(4.0, 0.6), (16.0, 0.15), (64.0, 0.07)]),
            curve("dopri5", &[(42.0, 0.06)]),
        ],
        floor: Some(0.03),
        ..QualityView::default()
    };
    let panels = [vec![category(0), category(1), category(2), GREY]];
    shows("content_quality.png", &panels, |p| quality(p, &view));
}

#[test]
fn images_show_their_pixels() {
    // Three images of 2 x 2 pixels, in which red, green and blue have different levels.
    let values: Vec<f64> = (0..36).map(|i| i as f64 / 35.0).collect();
    let view = ImageView {
        title: "Images".into(),
        subtitle: String::new(),
        shape: [3, 2, 2],
        range: (0.0, 1.0),
        rows: vec![],
        blocks: vec![ImageBlock {
            title: "generated".into(),
            columns: 1,
            images: Scatter::new(values.clone(), 12),
        }],
    };
    let picture = drawn("content_images.png", |p| images(p, &view));
    let panels = picture.panels();
    assert_eq!(panels.len(), 3);
    for (image, inside) in panels.iter().enumerate() {
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let part = |(lo, hi): (usize, usize), i: usize| lo + (hi - lo) * (2 * i + 1) / 4;
            let at = |channel: usize| values[12 * image + 4 * channel + 2 * row + column];
            let expected = [0, 1, 2].map(|channel| (at(channel) * 255.0).round() as f32);
            let actual = picture.pixel(part(inside.x, column), part(inside.y, row));
            assert_eq!(actual, expected, "image {image}, row {row}, column {column}");
        }
    }
}

#[test]
#[should_panic(expected = "panel 0 is empty")]
fn a_picture_of_axes_alone_is_not_accepted() {
    drawn("content_empty.png", |path| {
        let axis = crate::plot::axis::Axis::linear((0.0, 1.0));
        let mut figure = crate::plot::figure::Figure::new("Nothing", "", &[], 300.0)?;
        let frame = crate::plot::frame::Frame::new("nothing", axis.clone(), axis);
        frame.draw(&mut figure.canvas, figure.body)?;
        figure.save(path)
    });
}

#[test]
fn functions_show_every_component_in_every_panel() {
    let times = (0..=50).map(|i| f64::from(i) / 50.0);
    let curve = |power: f64| times.clone().map(move |t| (t, t.powf(power)));
    let quantity = |range| Quantity {
        name: "alpha_bar".into(),
        range,
        curves: vec![curve(1.0).collect(), curve(2.0).collect()],
    };
    let view = FunctionView {
        title: "noise_schedule · linear, quadratic".into(),
        names: vec!["linear".into(), "quadratic".into()],
        quantities: vec![quantity(None), quantity(Some((0.0, 0.5)))],
        ..FunctionView::default()
    };
    shows("content_functions.png", &vec![moon_colors(); 2], |p| functions(p, &view));
    let quantities = vec![Quantity { curves: vec![vec![(0.0, f64::NAN)]], ..quantity(None) }];
    refused("nothing to draw", |p| functions(p, &FunctionView { quantities, ..view.clone() }));
}
