//! Tests of pictures of losses, data and predictions.

use super::*;

pub(super) fn losses(epochs: usize) -> LossTrends {
    let mut dice = Dice(3);
    let mut curve = |from: f64, to: f64, rough: f64| -> Vec<Option<f64>> {
        (0..epochs)
            .map(|i| {
                Some((to + (from - to) * (-(i as f64) / 9.0).exp()) * (1.0 + rough * dice.normal()))
            })
            .collect()
    };
    let mut terms: Vec<Term> =
        [("total", 2.4, 0.31), ("flow", 1.9, 0.24), ("recon", 0.8, 0.004), ("kl", 0.3, 0.02)]
            .into_iter()
            .map(|(name, from, to)| Term {
                name: name.into(),
                train: curve(from, to, 0.015),
                val: curve(from * 1.05, to * 1.12, 0.04),
            })
            .collect();
    terms.push(Term {
        name: "reg".into(),
        train: vec![Some(0.0); epochs],
        val: vec![Some(0.0); epochs],
    });
    terms.push(Term { name: "vae".into(), train: vec![None; epochs], val: vec![None; epochs] });
    LossTrends { title: "Loss over training · two moons".into(), terms, ..LossTrends::default() }
}

#[test]
fn loss_pictures() {
    drawn("loss.png", |p| loss_trends(p, &losses(80)));
    drawn("loss_one_epoch.png", |p| loss_trends(p, &losses(1)));
    let mut three = losses(30);
    three.terms.truncate(3);
    three.terms[0].train[7] = Some(f64::NAN);
    three.terms[1]
        .val
        .iter_mut()
        .enumerate()
        .filter(|(i, _)| i % 5 != 4)
        .for_each(|(_, v)| *v = None);
    three.terms[2].train = vec![Some(0.25); 30];
    three.terms[2].val = vec![];
    drawn("loss_gaps.png", |p| loss_trends(p, &three));
    three.terms.truncate(1);
    three.terms[0].train[2] = Some(9e9);
    three.terms[0].train[9] = Some(-0.1);
    drawn("loss_single.png", |p| loss_trends(p, &three));
    let all = Term { name: "x".into(), train: vec![Some(f64::NAN)], val: vec![None] };
    refused("no term has a finite value", |p| {
        loss_trends(p, &LossTrends { terms: vec![all], ..LossTrends::default() })
    });
    refused("no term", |p| loss_trends(p, &LossTrends::default()));
}

#[test]
fn data_pictures() {
    let (target, labels) = moons(6554, 0.06, 1);
    let view = DataView {
        title: "Data · two moons".into(),
        target: target.clone(),
        labels: Some(labels.clone()),
        label_names: names(),
        split_name: "training data, 6,554 points".into(),
        condition: None,
    };
    drawn("data.png", |p| data_visualization(p, &view));
    drawn("data_plain.png", |p| data_visualization(p, &DataView { labels: None, ..view.clone() }));
    let one = Scatter::new(target.column(0).collect(), 1);
    drawn("data_1d.png", |p| {
        data_visualization(p, &DataView { target: one.clone(), ..view.clone() })
    });
    let mut dice = Dice(4);
    let five: Vec<f64> = (0..2000)
        .flat_map(|i| {
            let (a, b) = (target.values[2 * i], target.values[2 * i + 1]);
            [a, b, a - b, 0.3 * a + 0.2 * dice.normal(), 0.1 * dice.normal()]
        })
        .collect();
    let five = DataView {
        target: Scatter::new(five, 5),
        labels: Some(labels[..2000].to_vec()),
        ..view.clone()
    };
    drawn("data_5d.png", |p| data_visualization(p, &five));
    let y: Vec<f64> = target.column(0).map(|x| (3.0 * x).sin() + 0.1 * dice.normal()).collect();
    let pairs = DataView {
        condition: Some(one),
        target: Scatter::new(y.clone(), 1),
        labels: None,
        ..view.clone()
    };
    drawn("data_regression.png", |p| data_visualization(p, &pairs));
    let two = DataView { target: target.clone(), ..pairs.clone() };
    drawn("data_regression_1_to_2.png", |p| data_visualization(p, &two));
    let plane = DataView { condition: Some(target.clone()), ..pairs };
    drawn("data_regression_2_to_1.png", |p| data_visualization(p, &plane));
    let one_hot = labels.iter().flat_map(|l| [1.0 - *l as f64, *l as f64]).collect();
    let classes =
        DataView { condition: Some(target), target: Scatter::new(one_hot, 2), ..view.clone() };
    drawn("data_classes.png", |p| data_visualization(p, &classes));

    let point = DataView { target: Scatter::new(vec![1.0, 2.0], 2), labels: None, ..view.clone() };
    drawn("data_one_point.png", |p| data_visualization(p, &point));
    let same = DataView { target: Scatter::new(vec![3.0; 40], 1), labels: None, ..view.clone() };
    drawn("data_equal.png", |p| data_visualization(p, &same));
    let (mut torn, labels) = moons(300, 0.05, 2);
    torn.values[10] = f64::NAN;
    (torn.values[20], torn.values[33]) = (f64::INFINITY, 1e12);
    drawn("data_torn.png", |p| {
        data_visualization(p, &DataView { target: torn, labels: Some(labels), ..view.clone() })
    });
    let many: Vec<usize> = (0..6554).map(|i| i % 37).collect();
    drawn("data_many_labels.png", |p| {
        data_visualization(p, &DataView { labels: Some(many), ..view.clone() })
    });

    refused("nothing to draw", |p| {
        data_visualization(
            p,
            &DataView { target: Scatter::new(vec![], 2), labels: None, ..view.clone() },
        )
    });
    refused("nothing to draw", |p| {
        data_visualization(
            p,
            &DataView { target: Scatter::new(vec![f64::NAN; 4], 2), labels: None, ..view.clone() },
        )
    });
    refused("not rows of 0", |p| {
        data_visualization(
            p,
            &DataView { labels: None, target: Scatter::default(), ..view.clone() },
        )
    });
    refused("labels for", |p| {
        data_visualization(p, &DataView { labels: Some(vec![1]), ..view.clone() })
    });
}

#[test]
fn prediction_pictures() {
    let (x, truth) = moons(1500, 0.18, 1);
    let predicted: Vec<usize> =
        (0..x.len()).map(|i| usize::from(x.row(i)[1] < 0.25 + 0.1 * x.row(i)[0])).collect();
    let predicted = Predicted::Classes { truth, predicted, names: names() };
    let view = PredictionView {
        title: "Predictions · two moons".into(),
        subtitle: "test data, mode of 16 samples each".into(),
        x: Some(x.clone()),
        predicted,
    };
    drawn("predictions_classes.png", |p| predictions(p, &view));
    let mut dice = Dice(6);
    for k in [10usize, 45] {
        let truth: Vec<usize> = (0..3000).map(|i| i % k).collect();
        let predicted = truth
            .iter()
            .map(|t| if dice.uniform() < 0.8 { *t } else { (dice.uniform() * k as f64) as usize })
            .collect();
        let names = (0..k).map(|i| format!("a class called {i}")).collect();
        let view = PredictionView {
            x: None,
            predicted: Predicted::Classes { truth, predicted, names },
            ..view.clone()
        };
        drawn(&format!("predictions_{k}_classes.png"), |p| predictions(p, &view));
    }
    for dim in [1usize, 2, 5] {
        let truth = noise(800, dim, 3);
        let mut predicted = truth.clone();
        predicted.values.iter_mut().for_each(|v| *v = 0.8 * *v + 0.3 * dice.normal());
        predicted.values[3] = f64::NAN;
        predicted.values[4] = 1e7;
        let predicted = Predicted::Values { truth, predicted, columns: vec![] };
        let view = PredictionView { x: None, predicted, ..view.clone() };
        drawn(&format!("predictions_{dim}_outputs.png"), |p| predictions(p, &view));
    }
    let same = Scatter::new(vec![2.0], 1);
    let columns = vec![crate::table::TableColumn::number("y")];
    let predicted = Predicted::Values { truth: same.clone(), predicted: same, columns };
    drawn("predictions_one_point.png", |p| {
        predictions(p, &PredictionView { predicted, ..view.clone() })
    });
    let none = Predicted::Classes { truth: vec![], predicted: vec![], names: vec![] };
    refused("0 predicted", |p| predictions(p, &PredictionView { predicted: none, ..view.clone() }));
}
