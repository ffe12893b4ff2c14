use super::*;
use crate::group::tests::together;
use std::time::{Duration, Instant};
use tch::Kind;

/// Sizes of the variables of the tests: 7 pieces of at least 1000 values.
const SIZES: [i64; 9] = [1000, 400, 700, 2000, 1500, 1200, 3000, 1100, 30];

/// A gradient of this rank, whose values have digits to round.
fn gradient(rank: usize, step: usize) -> Tensor {
    let n: i64 = SIZES.iter().sum();
    let at = Tensor::arange(n, (Kind::Float, Device::Cpu));
    ((at + (3 * rank + step) as f64) * 0.37).sin() * 1.1_f64.powi(rank as i32)
}

/// Sums the gradient of a step, whose variables are complete in `order`.
fn summed(group: &Group, pieces: &mut Pieces, step: usize, order: &[usize]) -> Tensor {
    let mut sums = group.sums();
    let all = pieces.sum(group, &mut sums, &mut |_, _| {}, |arrived| {
        let mut flat = gradient(group.rank(), step);
        order.iter().for_each(|variable| arrived(&mut flat, *variable));
        Ok(flat)
    });
    sums.finish().unwrap();
    all.unwrap()
}

#[test]
fn pieces_are_whole_variables_of_a_least_size() {
    let pieces = Pieces::of(&SIZES, 1000);
    let ends: Vec<i64> = pieces.ranges.iter().map(|range| range.end).collect();
    assert_eq!(ends, [1000, 2100, 4100, 5600, 6800, 9800, 10_930]);
    assert_eq!(pieces.of_variable, [0, 1, 1, 2, 3, 4, 5, 6, 6]);
    // Too little for two pieces.
    for (sizes, least) in [([900, 600], 1000), ([900, 600], i64::MAX), ([5, 0], 1)] {
        assert_eq!(Pieces::of(&sizes, least).ranges.len(), 1, "{sizes:?}");
    }
}

#[test]
fn ranks_whose_gradients_arrive_in_different_orders_have_the_sum_of_one_piece() {
    let forward: Vec<usize> = (0..SIZES.len()).collect();
    let backward: Vec<usize> = forward.iter().rev().copied().collect();
    let mixed = vec![4, 0, 8, 2, 6, 1, 3, 7, 5];
    let orders = [&forward, &backward, &mixed, &backward];
    for size in [2, 3] {
        let errors = together(size, |group| {
            let mut pieces = Pieces::of(&SIZES, 1000);
            let steps = 0..8;
            let differences = steps.map(|step| {
                let found = summed(&group, &mut pieces, step, orders[(step + group.rank()) % 4]);
                let mut expected = gradient(group.rank(), step);
                group.sum(&mut [&mut expected]).unwrap();
                (found - expected).abs().max().double_value(&[])
            });
            differences.fold(0.0, f64::max)
        });
        // Of two ranks there is one order of addition.
        let bound = if size == 2 { 0.0 } else { 1e-6 };
        assert!(errors.iter().all(|error| *error <= bound), "{size}: {errors:?}");
    }
}

#[test]
fn the_order_of_the_sums_is_that_of_the_first_step_of_rank_0() {
    let orders = together(2, |group| {
        let mut pieces = Pieces::of(&SIZES, 1000);
        let order: Vec<usize> = match group.rank() {
            0 => vec![8, 7, 3, 2, 1, 0, 4, 5, 6],
            _ => (0..SIZES.len()).collect(),
        };
        let _ = summed(&group, &mut pieces, 0, &order);
        pieces.order.unwrap()
    });
    let expected = [6, 2, 1, 0, 3, 4, 5];
    assert_eq!(orders, [expected, expected]);
}

#[test]
fn a_piece_is_summed_before_the_gradient_is_complete() {
    let sum: Vec<f64> = together(2, |group| {
        let mut pieces = Pieces::of(&SIZES, 1000);
        let order: Vec<usize> = (0..SIZES.len()).rev().collect();
        let _ = summed(&group, &mut pieces, 0, &order);
        let (mut sums, mut found) = (group.sums(), 0.0);
        let end = *order.first().unwrap();
        let range = pieces.ranges.last().unwrap().clone();
        let all = pieces.sum(&group, &mut sums, &mut |_, _| {}, |arrived| {
            let mut flat = Tensor::ones([range.end], (Kind::Float, Device::Cpu));
            arrived(&mut flat, end);
            arrived(&mut flat, end - 1);
            let began = Instant::now();
            while found < 2.0 && began.elapsed() < Duration::from_secs(20) {
                found = flat.get(range.start).double_value(&[]);
                std::thread::sleep(Duration::from_millis(1));
            }
            order[2..].iter().for_each(|variable| arrived(&mut flat, *variable));
            Ok(flat)
        });
        sums.finish().unwrap();
        assert_eq!(all.unwrap().sum(Kind::Double).double_value(&[]), 2.0 * range.end as f64);
        found
    });
    assert_eq!(sum, [2.0, 2.0]);
}

#[test]
fn ranges_are_prepared_once_each_before_they_are_summed() {
    let found = together(2, |group| {
        let (mut pieces, mut results) = (Pieces::of(&SIZES, 1000), Vec::new());
        for step in 0..2 {
            let mut sums = group.sums();
            let mut double = |to: &mut Tensor, range: Range<i64>| {
                assert_eq!(to.numel() as i64, range.end - range.start);
                let _ = to.g_mul_scalar_(2.0);
            };
            let all = pieces.sum(&group, &mut sums, &mut double, |arrived| {
                let mut flat = gradient(group.rank(), step);
                (0..SIZES.len()).rev().for_each(|variable| arrived(&mut flat, variable));
                Ok(flat)
            });
            sums.finish().unwrap();
            let expected = (gradient(0, step) + gradient(1, step)) * 2.0;
            results.push(all.unwrap() == expected);
        }
        results
    });
    assert_eq!(found, [[true, true], [true, true]]);
}
