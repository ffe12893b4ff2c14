use super::*;

/// Attention by LibTorch's elementary operations; `of` are `[batch, tokens, heads, features]`.
fn plain_attention(of: &[Tensor], bias: Option<&Tensor>) -> Tensor {
    let [q, k, v] = [0, 1, 2].map(|i: usize| of[i].transpose(1, 2));
    let scores = q.matmul(&k.transpose(2, 3)) / (q.size()[3] as f64).sqrt();
    let scores = bias.map_or(scores.shallow_clone(), |bias| &scores + bias);
    scores.softmax(-1, Kind::Float).matmul(&v).transpose(1, 2)
}

/// (batch, queries, keys, heads, features): a single token, odd numbers, as many as in small
/// images, and more queries than are taken at once.
const ATTENTIONS: [(i64, i64, i64, i64, i64); 5] =
    [(1, 1, 1, 1, 1), (3, 5, 7, 2, 3), (4, 49, 49, 4, 16), (2, 64, 64, 1, 32), (2, 300, 270, 2, 8)];

#[test]
fn attention_and_its_gradients_are_those_of_its_parts() {
    let _stream = seed_torch(11, Purpose::Data, 0);
    for (batch, queries, keys, heads, features) in ATTENTIONS {
        let tokens = |n| normal(&[batch, n, heads, features]).set_requires_grad(true);
        let of = [tokens(queries), tokens(keys), tokens(keys)];
        // Every third key is excluded in every second row.
        let excluded = Tensor::arange(keys, (Kind::Int64, Device::Cpu)).remainder(3).eq(1);
        let row = Tensor::arange(batch, (Kind::Int64, Device::Cpu)).remainder(2).eq(0);
        let padding = (row.view([-1, 1, 1, 1]) * excluded).to_kind(Kind::Float) * -1e9;
        let scores = normal(&[1, heads, queries, keys]);
        for bias in [None, Some(&padding), Some(&scores)] {
            let ours = attention(&of.each_ref(), bias);
            let theirs = plain_attention(&of, bias);
            close(&ours, &theirs);
            close(&no_grad(|| attention(&of.each_ref(), bias)), &theirs);
            let g = normal(&theirs.size());
            let gradients =
                |y: &Tensor| Tensor::run_backward(&[(y * &g).sum(Kind::Float)], &of, false, false);
            for (a, b) in gradients(&ours).iter().zip(&gradients(&theirs)) {
                close(a, b);
            }
        }
    }
}

#[test]
fn attention_takes_all_in_one_tensor_in_any_order_of_axes() {
    let _stream = seed_torch(12, Purpose::Data, 0);
    for (batch, tokens, _, heads, features) in ATTENTIONS {
        let beside = normal(&[batch, tokens, 3, heads, features]).set_requires_grad(true);
        let channels = normal(&[batch, 3, heads, features, tokens]).set_requires_grad(true);
        for (leaf, all) in
            [(&beside, beside.shallow_clone()), (&channels, channels.permute([0, 4, 1, 2, 3]))]
        {
            let (ours, theirs) = (attention(&[&all], None), plain_attention(&all.unbind(2), None));
            close(&ours, &theirs);
            let g = normal(&theirs.size());
            let gradient = |y: &Tensor| {
                Tensor::run_backward(&[(y * &g).sum(Kind::Float)], &[leaf], false, false).remove(0)
            };
            close(&gradient(&ours), &gradient(&theirs));
        }
    }
}

#[test]
fn attention_may_be_differentiated_twice_and_keeps_nan() {
    let _stream = seed_torch(13, Purpose::Data, 0);
    let x = normal(&[2, 6, 3, 2, 4]).set_requires_grad(true);
    let twice = |y: Tensor| {
        let slope = Tensor::run_backward(&[y.square().sum(Kind::Float)], &[&x], true, true);
        Tensor::run_backward(&[slope[0].square().sum(Kind::Float)], &[&x], false, false).remove(0)
    };
    close(&twice(attention(&[&x], None)), &twice(plain_attention(&x.unbind(2), None)));
    let bad = x.detach().copy();
    // A feature of a query.
    let _ = bad.get(0).get(3).get(0).get(1).get(2).fill_(f64::NAN);
    let nan = attention(&[&bad], None).isnan();
    assert_eq!(nan.sum(Kind::Int64).int64_value(&[]), 4);
    assert_eq!(nan.get(0).get(3).get(1).all().int64_value(&[]), 1);
}

#[test]
fn attention_in_reduced_precision_is_near_that_in_full() {
    let _stream = seed_torch(14, Purpose::Data, 0);
    let x = normal(&[4, 49, 3, 4, 16]);
    let full = attention(&[&x], None);
    let reduced = {
        let _reduced = reduced::Reduced::on(Device::Cpu);
        attention(&[&x], None).to_kind(Kind::Float)
    };
    let difference = relative_difference(&reduced, &full);
    assert!(difference > 0.0 && difference < 0.02, "{difference}");
}
