use super::*;

/// Group norm, scale and shift, and swish by LibTorch's own operations.
fn plain(x: &Tensor, norm: GroupNorm<'_>) -> Tensor {
    let (weight, bias) = (Some(norm.weight), Some(norm.bias));
    let mut y = x.group_norm(norm.groups, weight, bias, 1e-5, false);
    if let Some(modulation) = norm.modulation {
        let mut shape = vec![1; x.dim()];
        (shape[0], shape[1]) = (x.size()[0], -1);
        let both = modulation.view(shape.as_slice()).chunk(2, 1);
        y = y * (&both[0] + 1.0) + &both[1];
    }
    if norm.swish { y.silu() } else { y }
}

/// Shapes and numbers of groups: one pixel, odd numbers, a group a channel, one group, and more
/// pixels than are summed at once.
const CASES: [(&[i64], i64); 6] = [
    (&[3, 8, 1, 1], 2),
    (&[1, 6, 1, 5], 3),
    (&[5, 12, 7, 3], 4),
    (&[2, 4, 16, 16], 4),
    (&[33, 32, 9, 9], 1),
    (&[2, 8, 70, 61], 2),
];

/// All inputs of a case: x, weight, bias and modulation, which require gradients.
fn inputs(shape: &[i64]) -> [Tensor; 4] {
    let n = shape[1];
    // Far from zero, where a variance is easily lost.
    [normal(shape) * 2.0 + 10.0, normal(&[n]), normal(&[n]), normal(&[shape[0], 2 * n])]
        .map(|t| t.set_requires_grad(true))
}

fn of(of: &[Tensor; 4], groups: i64, modulated: bool, swish: bool) -> GroupNorm<'_> {
    let [_, weight, bias, modulation] = of;
    GroupNorm { groups, weight, bias, modulation: modulated.then_some(modulation), swish }
}

#[test]
fn a_norm_and_its_gradients_are_those_of_its_parts() {
    let _stream = seed_torch(15, Purpose::Data, 0);
    for (shape, groups) in CASES {
        for (modulated, swish) in [(false, false), (false, true), (true, false), (true, true)] {
            let all = inputs(shape);
            let norm = of(&all, groups, modulated, swish);
            let x = channels_last(&all[0]);
            let (ours, theirs) = (group_norm(&x, norm), plain(&all[0], norm));
            close(&ours, &theirs);
            close(&no_grad(|| group_norm(&x, norm)), &theirs);
            // In the layout in which it came.
            let strides = |t: &Tensor| t.permute([0, 2, 3, 1]).is_contiguous();
            assert!(strides(&x) && strides(&ours));
            let g = normal(shape);
            let learned = &all[..if modulated { 4 } else { 3 }];
            let gradients = |y: &Tensor| {
                Tensor::run_backward(&[(y * &g).sum(Kind::Float)], learned, false, false)
            };
            for (a, b) in gradients(&ours).iter().zip(&gradients(&theirs)) {
                close(a, b);
            }
        }
    }
}

#[test]
fn a_norm_may_be_differentiated_twice_and_keeps_nan() {
    let _stream = seed_torch(16, Purpose::Data, 0);
    let all = inputs(&[2, 6, 3, 3]);
    let norm = of(&all, 3, true, true);
    let twice = |y: Tensor| {
        let slope = Tensor::run_backward(&[y.square().sum(Kind::Float)], &all[..1], true, true);
        Tensor::run_backward(&[slope[0].square().sum(Kind::Float)], &all, false, false)
    };
    for (a, b) in
        twice(group_norm(&channels_last(&all[0]), norm)).iter().zip(&twice(plain(&all[0], norm)))
    {
        close(a, b);
    }
    let bad = all[0].detach().copy();
    let _ = bad.get(1).get(2).get(0).get(1).fill_(f64::NAN);
    let nan = no_grad(|| group_norm(&channels_last(&bad), norm)).isnan();
    // The two channels of its group.
    assert_eq!(nan.sum(Kind::Int64).int64_value(&[]), 18);
    assert_eq!(nan.get(1).narrow(0, 2, 2).all().int64_value(&[]), 1);
}

#[test]
fn a_norm_in_bfloat16_is_the_rounded_one_of_what_it_is_given() {
    let _stream = seed_torch(17, Purpose::Data, 0);
    for (shape, groups) in CASES {
        let all = inputs(shape);
        let norm = of(&all, groups, true, true);
        let x = normal(shape).to_kind(Kind::BFloat16).set_requires_grad(true);
        let wide = x.detach().to_kind(Kind::Float).set_requires_grad(true);
        let (ours, theirs) = (group_norm(&channels_last(&x), norm), plain(&wide, norm));
        assert_eq!(ours.kind(), Kind::BFloat16);
        let rounded = theirs.to_kind(Kind::BFloat16).to_kind(Kind::Float);
        // One unit in the last place where rounding meets a tie.
        let difference = relative_difference(&ours.to_kind(Kind::Float), &rounded);
        assert!(difference < 0.005, "{difference}");
        let g = normal(shape).to_kind(Kind::BFloat16);
        let gradients = |y: &Tensor, x: &Tensor| {
            let learned = [x, &all[1], &all[2], &all[3]];
            let loss = (y.to_kind(Kind::Float) * g.to_kind(Kind::Float)).sum(Kind::Float);
            Tensor::run_backward(&[loss], &learned, false, false)
        };
        for (a, b) in gradients(&ours, &x).iter().zip(&gradients(&theirs, &wide)) {
            let difference = relative_difference(&a.to_kind(Kind::Float), b);
            assert!(difference < 0.005, "{difference}");
        }
    }
}
