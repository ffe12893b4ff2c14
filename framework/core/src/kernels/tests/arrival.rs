//! Gradients that arrive one by one.

use super::*;

/// Calls `gradient_as_it_arrives`; the variables in their order of arrival, and the result.
fn arrivals(loss: &Tensor, variables: &[Tensor]) -> (Vec<usize>, Tensor) {
    let mut places: Vec<i64> = vec![0];
    places.extend(variables.iter().scan(0, |end, v| {
        *end += v.numel() as i64;
        Some(*end)
    }));
    let mut found: Vec<(usize, Tensor)> = Vec::new();
    let all = gradient_as_it_arrives(loss, variables, &mut |flat, i| {
        found.push((i, flat.narrow(0, places[i], places[i + 1] - places[i]).copy()));
    });
    for (i, gradient) in &found {
        let at = all.narrow(0, places[*i], gradient.numel() as i64);
        assert_eq!(*gradient, at, "variable {i} was not complete");
    }
    (found.into_iter().map(|(i, _)| i).collect(), all)
}

#[test]
fn gradients_arrive_complete_and_once() {
    let _stream = seed_torch(4, Purpose::Data, 0);
    let new = |shape: &[i64]| normal(shape).set_requires_grad(true);
    let frozen = normal(&[3]);
    let variables = [new(&[4, 3]), new(&[3]), new(&[2]), frozen, new(&[3, 4])];
    let loss = || {
        let [a, b, _, c, w] = &variables;
        let h = (a.matmul(w).tanh() + a.matmul(w).sigmoid() * 2.0).matmul(a) + b * c;
        (&h * &h * b).sum(Kind::Float)
    };
    let (mut order, all) = arrivals(&loss(), &variables);
    assert_eq!(all, gradient(&loss(), &variables));
    // What no gradient belongs to is complete from the beginning.
    assert_eq!(order[..2], [3, 2]);
    order.sort_unstable();
    assert_eq!(order, [0, 1, 2, 3, 4]);
}

#[test]
fn gradients_of_large_layers_arrive_one_by_one_from_the_last_on() {
    let case = ChainCase::new(20, &[30], &[400, 400, 400], true);
    let of = |(weight, bias): &(Tensor, Option<Tensor>)| {
        [Some(weight.shallow_clone()), bias.as_ref().map(Tensor::shallow_clone)]
    };
    let mut variables: Vec<Tensor> = case.layers.iter().flat_map(of).flatten().collect();
    let loss = || {
        let y = case.fused(Activation::Swish, End::Linear);
        (&y * &y).sum(Kind::Float)
    };
    let (order, all) = arrivals(&loss(), &variables);
    // Weight and bias of a layer in either order: without AVX2, LibTorch computes large layers.
    let layers: Vec<usize> = order.iter().map(|i| i / 2).collect();
    assert_eq!(layers, [2, 2, 1, 1, 0, 0]);
    assert_eq!(all, gradient(&loss(), &variables));
    // A layer that is used before the chain too has more to come when the chain is done with it.
    let first = case.layers[1].0.shallow_clone();
    let twice = || loss() + (&first * &first).sum(Kind::Float) * 0.5;
    let (order, all) = arrivals(&twice(), &variables);
    assert_eq!(order.len(), 6);
    let of_first = |all: &Tensor| all.narrow(0, 30 * 400 + 400, 400 * 400).view([400, 400]);
    close(&of_first(&all), &(of_first(&gradient(&loss(), &variables)) + &first));
    // The same layer twice in one chain.
    variables.truncate(4);
    let shared = ChainCase {
        inputs: case.inputs.iter().map(Tensor::shallow_clone).collect(),
        layers: [0, 1, 1]
            .map(|i: usize| {
                let (weight, bias) = &case.layers[i];
                (weight.shallow_clone(), bias.as_ref().map(Tensor::shallow_clone))
            })
            .into(),
    };
    let loss = || shared.fused(Activation::Swish, End::Linear).square().sum(Kind::Float);
    let (order, all) = arrivals(&loss(), &variables);
    // In one chain, unless LibTorch computes its layers.
    if Instructions::used() > Instructions::Baseline {
        assert_eq!(order[..2], [0, 1]);
    }
    let found = all;
    loss().backward();
    let expected: Vec<Tensor> = variables.iter().map(|v| v.grad().reshape([-1])).collect();
    close(&found, &Tensor::cat(&expected, 0));
}

#[test]
fn whoever_receives_a_gradient_may_change_it_and_may_fail() {
    let v = Tensor::ones([3], FLOAT).set_requires_grad(true);
    let variables = [v];
    let loss = || (&variables[0] * 2.0).sum(Kind::Float);
    let changed = gradient_as_it_arrives(&loss(), &variables, &mut |flat, _| {
        let _ = flat.fill_(7.0);
    });
    assert_eq!(changed, Tensor::full([3], 7.0, FLOAT));
    let failing = std::panic::AssertUnwindSafe(|| {
        gradient_as_it_arrives(&loss(), &variables, &mut |_, i| panic!("no place for {i}"))
    });
    let panic = std::panic::catch_unwind(failing).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "no place for 0");
}
