//! Encoders and decoders of rows of numbers and categories.

use crate::common::values;
use triflow::prelude::*;
use triflow::registry::Yaml;
use triflow::rng::{Purpose, seed_torch};
use triflow::sample::{Change as _, Projected, Space};
use triflow::tch::{Device, Kind};
use triflow::train::Control;
use triflow::{Trained, Trainer};

const OPTIONS: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Two numbers, categories of several sizes, a flag, and presence.
const BLOCKS: [Block; 7] = [
    Block::Categories(3),
    Block::Values(1),
    Block::Categories(2),
    Block::Categories(40),
    Block::Values(1),
    Block::Categories(5),
    Block::Categories(4),
];
const WIDTH: i64 = 56;

fn spec<B: ?Sized + triflow::registry::Kind>(yaml: &str) -> Component<B> {
    triflow_plugins::link();
    let yaml: Yaml = serde_yaml::from_str(yaml).unwrap();
    triflow::registry::Parameter::read(&yaml).unwrap()
}

fn context<'a>(vars: nn::Path<'a>, blocks: &[Block], latent: Option<&[i64]>) -> BuildContext<'a> {
    BuildContext {
        vars,
        target_shape: vec![blocks.iter().map(|block| block.width()).sum()],
        target_blocks: blocks.to_vec(),
        condition_shape: None,
        latent_shape: latent.map(<[i64]>::to_vec),
    }
}

/// An encoder and a decoder over one set of variables.
struct Pair {
    vars: nn::VarStore,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
}

impl Pair {
    fn new(name: &str, blocks: &[Block]) -> Self {
        let _stream = seed_torch(3, Purpose::Init, 0);
        let mut vars = nn::VarStore::new(Device::Cpu);
        vars.set_kind(Kind::Double);
        let encoder: Component<dyn Encoder> = spec(name);
        let encoder = encoder.build(&context(vars.root().sub("encoder"), blocks, None)).unwrap();
        let latent = encoder.latent_shape().unwrap();
        let decoder: Component<dyn Decoder> = spec(name);
        let decoder = decoder.build(&context(vars.root().sub("decoder"), blocks, Some(&latent)));
        Self { decoder: decoder.unwrap(), encoder, vars }
    }

    fn encode(&self, rows: &Tensor) -> Tensor {
        self.encoder.encode(rows, Pass::EVAL).unwrap().mean
    }

    fn decode(&self, latents: &Tensor) -> Tensor {
        self.decoder.decode(latents, Pass::EVAL).unwrap()
    }
}

/// `n` random rows with one category of each.
fn rows(n: i64) -> Tensor {
    let segments = Segments::new(&BLOCKS, Device::Cpu);
    segments.one_hot(&Tensor::randn([n, WIDTH], OPTIONS))
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn a_coordinate_changes_with_the_number_or_category_that_it_is_said_to_come_from() {
    let _stream = seed_torch(1, Purpose::Data, 0);
    for name in ["one_hot", "mixed"] {
        let pair = Pair::new(name, &BLOCKS);
        let origins = pair.encoder.origins().unwrap().unwrap();
        let (row, mut from) = (rows(1), 0);
        let latents = pair.encode(&row);
        assert_eq!(latents.size(), [1, origins.len() as i64]);
        for block in BLOCKS {
            let own = row.narrow(1, from, block.width());
            let other = match block {
                Block::Values(_) => &own + 1.0,
                Block::Categories(_) => own.roll([1], [1]),
            };
            let rest = from + block.width();
            let parts = [row.narrow(1, 0, from), other, row.narrow(1, rest, WIDTH - rest)];
            let change = pair.encode(&Tensor::cat(&parts, 1)) - &latents;
            let changes = values(&change.abs().gt(1e-9).to_kind(Kind::Double).view(-1));
            for (origin, changed) in origins.iter().zip(changes) {
                let is_own = (from..rest).contains(origin);
                // Entries of one-hot categories that stay 0 do not change.
                assert!(is_own || changed == 0.0, "{name}: {origin} with entry {from}");
                assert!(!is_own || changed == 1.0 || name == "one_hot", "{name}: {origin} stays");
                let is_first = *origin == from || matches!(block, Block::Values(_));
                assert!(!is_own || is_first || name == "one_hot", "{name}: {origin} is not first");
            }
            from = rest;
        }
    }
    let dense: Component<dyn Encoder> = spec("linear");
    let vars = nn::VarStore::new(Device::Cpu);
    let dense = dense.build(&context(vars.root(), &BLOCKS, Some(&[4]))).unwrap();
    assert_eq!(dense.origins().unwrap(), None);
}

#[test]
fn one_hot_rows_come_back_and_have_mean_0_and_variance_1() {
    let _stream = seed_torch(1, Purpose::Data, 0);
    let pair = Pair::new("one_hot", &BLOCKS);
    let rows = rows(200);
    let latents = pair.encode(&rows);
    assert_eq!(pair.decoder.likelihood().unwrap(), Likelihood::Gaussian);
    assert!(largest_difference(&pair.decode(&latents), &rows) < 1e-12);
    // All categories equally often.
    for count in [2, 3, 40] {
        let pair = Pair::new("one_hot", &[Block::Categories(count)]);
        let latents = pair.encode(&Tensor::eye(count, OPTIONS));
        let mean = latents.mean_dim([0].as_slice(), false, Kind::Double);
        let squares = latents.square().mean_dim([0].as_slice(), false, Kind::Double);
        assert!(largest_difference(&mean, &mean.zeros_like()) < 1e-12, "{count}");
        assert!(largest_difference(&squares, &squares.ones_like()) < 1e-12, "{count}");
    }
    let one = Pair::new("one_hot", &[Block::Categories(1)]);
    assert_eq!(values(&one.encode(&Tensor::ones([1, 1], OPTIONS))), [0.0]);
}

#[test]
fn numbers_pass_through_and_embeddings_have_the_length_of_the_square_root_of_their_features() {
    let _stream = seed_torch(1, Purpose::Data, 0);
    let pair = Pair::new("mixed", &BLOCKS);
    // Two numbers; then by size the flag (2 features), 3 and 4 categories (3 each), 5 (4), 40 (7).
    assert_eq!(pair.encoder.latent_shape().unwrap(), [2 + 2 + 3 + 3 + 4 + 7]);
    let rows = rows(64);
    let latents = pair.encode(&rows);
    let segments = Segments::new(&BLOCKS, Device::Cpu);
    assert_eq!(latents.narrow(1, 0, 2), segments.values(&rows));
    assert_eq!(segments.values(&pair.decode(&latents)), segments.values(&rows));
    let mut from = 2;
    for dim in [2, 3, 3, 4, 7] {
        let squares = latents.narrow(1, from, dim).square();
        let lengths = squares.sum_dim_intlist([1].as_slice(), false, Kind::Double);
        assert!(largest_difference(&lengths, &lengths.full_like(dim as f64)) < 1e-9, "{dim}");
        from += dim;
    }
    let set = Pair::new("{ type: mixed, dim: 6 }", &BLOCKS);
    assert_eq!(set.encoder.latent_shape().unwrap(), [2 + 5 * 6]);
    assert_eq!(
        Pair::new("mixed", &[Block::Categories(5000)]).encoder.latent_shape().unwrap(),
        [14]
    );
}

#[test]
fn a_soft_row_gives_the_embedding_weighted_by_its_probabilities() {
    let _stream = seed_torch(1, Purpose::Data, 0);
    let pair = Pair::new("mixed", &BLOCKS);
    let (one, other) = (rows(32), rows(32));
    let soft = &one * 0.3 + &other * 0.7;
    let expected = pair.encode(&one) * 0.3 + pair.encode(&other) * 0.7;
    assert!(largest_difference(&pair.encode(&soft), &expected) < 1e-12);
    // A block without any category, as that of a missing cell, is at 0.
    let none = pair.encode(&Tensor::zeros([1, WIDTH], OPTIONS));
    assert_eq!(none, none.zeros_like());
}

#[test]
fn categories_of_a_column_start_apart_from_each_other() {
    for count in [2, 3, 8, 40, 300] {
        let pair = Pair::new("mixed", &[Block::Categories(count)]);
        let embeddings = pair.encode(&Tensor::eye(count, OPTIONS));
        let dim = embeddings.size()[1] as f64;
        let cosines = embeddings.matmul(&embeddings.tr()) / dim - Tensor::eye(count, OPTIONS) * 2.0;
        let nearest = cosines.max().double_value(&[]);
        // All are orthogonal or opposite while the bases suffice.
        let bound = if count <= 8 { 1e-9 } else { 0.99 };
        assert!(nearest < bound, "{count}: {nearest}");
    }
}

#[test]
fn embeddings_of_a_column_cannot_meet_in_one_point() {
    let pair = Pair::new("mixed", &BLOCKS);
    // Nearly equal, as a loss would have them that pulls all to the same place.
    triflow::tch::no_grad(|| {
        for (name, mut weight) in pair.vars.variables() {
            if name.contains("embedding") {
                let near = &weight * 1e-3 + 1.0;
                weight.copy_(&near);
            }
        }
    });
    let flag = Tensor::zeros([2, WIDTH], OPTIONS);
    flag.narrow(1, 4, 2).copy_(&Tensor::eye(2, OPTIONS));
    let two = pair.encode(&flag).narrow(1, 2, 2);
    // Two embeddings of length √2 are opposite.
    assert!(largest_difference(&two.get(0), &two.get(1).neg()) < 1e-9);
    for (from, count) in [(0, 3), (6, 40), (47, 5)] {
        let rows = Tensor::zeros([count, WIDTH], OPTIONS);
        rows.narrow(1, from, count).copy_(&Tensor::eye(count, OPTIONS));
        let spread = pair.encode(&rows).std_dim(Some([0].as_slice()), true, false);
        assert!(spread.max().double_value(&[]) > 0.5, "{count}");
    }
}

#[test]
fn a_gradient_reaches_embeddings_and_heads_of_every_category() {
    let _stream = seed_torch(1, Purpose::Data, 0);
    let pair = Pair::new("mixed", &BLOCKS);
    let segments = Segments::new(&BLOCKS, Device::Cpu);
    let rows = rows(400);
    segments.error(&pair.decode(&pair.encode(&rows)), &rows).mean(Kind::Double).backward();
    for (name, variable) in pair.vars.variables() {
        let gradient = variable.grad().abs();
        // Rows of padding behind 3 of 4 categories have none.
        let zeros = gradient.eq(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        assert!(zeros < 0.2, "{name}: {zeros}");
    }
}

#[test]
fn rows_of_every_type_come_back_once_embeddings_and_heads_are_trained() {
    let _stream = seed_torch(1, Purpose::Data, 0);
    let pair = Pair::new("mixed", &BLOCKS);
    let segments = Segments::new(&BLOCKS, Device::Cpu);
    let mut optimizer = nn::OptimizerConfig::build(nn::Adam::default(), &pair.vars, 0.02).unwrap();
    for _ in 0..300 {
        let rows = rows(128);
        let loss = segments.error(&pair.decode(&pair.encode(&rows)), &rows).mean(Kind::Double);
        optimizer.backward_step(&loss);
    }
    let rows = rows(2000);
    let back = segments.one_hot(&pair.decode(&pair.encode(&rows)));
    assert_eq!(segments.one_hot(&rows), rows);
    assert!(largest_difference(&back, &rows) < 1e-12);
}

#[test]
fn names_of_categories_have_no_order() {
    // The categories of a column in another order, with their embeddings and heads.
    let _stream = seed_torch(1, Purpose::Data, 0);
    let blocks = [Block::Values(1), Block::Categories(6)];
    let (pair, turned) = (Pair::new("mixed", &blocks), Pair::new("mixed", &blocks));
    let order = Tensor::from_slice(&[3_i64, 4, 5, 0, 1, 2]);
    triflow::tch::no_grad(|| {
        for (name, mut own) in turned.vars.variables() {
            let axis = if name.contains("embedding") { 1 } else { 2 };
            own.copy_(&pair.vars.variables()[&name].index_select(axis, &order));
        }
    });
    let rows = Segments::new(&blocks, Device::Cpu).one_hot(&Tensor::randn([40, 7], OPTIONS));
    let turn = |rows: &Tensor| {
        let columns = Tensor::cat(&[Tensor::from_slice(&[0_i64]), &order + 1], 0);
        rows.index_select(1, &columns)
    };
    let (latents, latents_turned) = (pair.encode(&rows), turned.encode(&turn(&rows)));
    assert!(largest_difference(&latents, &latents_turned) < 1e-12);
    let decoded = turned.decode(&latents_turned);
    assert!(largest_difference(&turn(&pair.decode(&latents)), &decoded) < 1e-12);
}

#[test]
fn a_latent_of_another_layout_is_refused() {
    let vars = nn::VarStore::new(Device::Cpu);
    let message = |name: &str, latent: &[i64]| {
        let decoder: Component<dyn Decoder> = spec(name);
        let built = decoder.build(&context(vars.root(), &BLOCKS, Some(latent)));
        built.err().unwrap().to_string()
    };
    let error = message("mixed", &[20]);
    let needed = "decoder `mixed` needs latents of shape [21], and the encoder gives [20]";
    assert!(error.contains(needed) && error.contains("encoder `mixed`"), "{error}");
    assert!(message("one_hot", &[20]).contains("choose the encoder `one_hot`"));
    let image = BuildContext {
        target_shape: vec![3, 8, 8],
        target_blocks: Block::numbers(&[3, 8, 8]),
        ..context(vars.root(), &BLOCKS, None)
    };
    let encoder: Component<dyn Encoder> = spec("mixed");
    let error = encoder.build(&image).err().unwrap().to_string();
    assert!(error.contains("takes rows of numbers and categories"), "{error}");
}

/// Shares of the toy's categories.
const SHARES: [f64; 3] = [0.5, 0.3, 0.2];
/// Means of the toy's number by category.
const MEANS: [f64; 3] = [-1.0, 0.5, 2.0];

/// A category that determines the mean of a number.
fn toy(n: i64) -> Splits {
    let _stream = seed_torch(5, Purpose::Data, 0);
    let uniform = Tensor::rand([n], OPTIONS);
    let code = uniform.ge(SHARES[0]).to_kind(Kind::Double)
        + uniform.ge(SHARES[0] + SHARES[1]).to_kind(Kind::Double);
    let means = Tensor::from_slice(&MEANS).index_select(0, &code.to_kind(Kind::Int64));
    let number = means + Tensor::randn([n], OPTIONS) * 0.4;
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let train = Columns {
        x: Some(Tensor::stack(&[code, number], 1)),
        x_columns: vec![TableColumn::category("kind", names), TableColumn::number("size")],
        ..Columns::default()
    };
    Splits { train, ..Splits::default() }
}

/// A model of the toy after training with these further settings.
fn trained(yaml: &str) -> Trained {
    triflow_plugins::link();
    let mut layers = triflow::config::Layers::new().unwrap();
    let base =
        "{ task: generation, unconditional: true, device: cpu, encoder: mixed, decoder: mixed,
                  data: { split: { train: 1, val: 0, test: 0 } },
                  crn: { type: vanilla, network: { type: mlp, hidden_dims: [64, 64] } },
                  training: { steps: 3000, batch_size: 256, ema: 0.99,
                              optimizer: { type: adam, learning_rate: 0.003 },
                              lr_schedule: { type: cosine } },
                  sampling: { steps: 100 } }";
    layers.add_text(base, "base").unwrap();
    layers.add_text(yaml, "test").unwrap();
    let mut trainer = Trainer::with_tables(layers.finish().unwrap(), toy(4000)).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    trainer.into_trained()
}

#[test]
fn recoded_data_are_the_embeddings_weighted_by_their_probabilities_for_every_objective() {
    let _stream = seed_torch(6, Purpose::Data, 0);
    for objective in ["flow_matching", "diffusion", "ct"] {
        let settings = format!(
            "{{ objective: {objective}, noise_schedule: cosine, training: {{ steps: 1 }},
               sampling: {{ steps: 3, projection: recode }} }}"
        );
        let model = &mut trained(&settings);
        let recode: Component<dyn Projection> = spec("recode");
        let recode = recode.build(&()).unwrap();
        assert!(recode.decodes().unwrap());
        let latents = Tensor::randn([50, 4], (Kind::Float, Device::Cpu));
        let recoded = |model: &triflow::model::Model, latents: &Tensor| {
            let decoded = model.decode(latents, Pass::EVAL).unwrap();
            model.encode(&model.present(&decoded), Pass::EVAL).unwrap().mean
        };
        let (found, expected) = triflow::tch::no_grad(|| {
            let space = Space::Targets(model.model(), None);
            let changed = Projected { projection: &*recode, space };
            let found = changed.finished(latents.shallow_clone()).unwrap();
            (found, recoded(model.model(), &latents))
        });
        assert!(largest_difference(&found, &expected) < 1e-5, "{objective}");
        assert!(largest_difference(&found, &latents) > 0.1, "{objective}");
        // So are the samples: no embedding is longer than √3, the length of each.
        let plan = model.plan();
        let z0 = model.z0(50, Some(&plan.streams)).unwrap();
        let ends = model.sample_latents(&z0, None, &plan, &mut ()).unwrap().z;
        let squares = ends.narrow(1, 1, 3).square();
        let lengths = squares.sum_dim_intlist([1].as_slice(), false, Kind::Double);
        assert!(lengths.max().double_value(&[]) < 3.0 + 1e-4, "{objective}");
    }
}

#[test]
fn all_three_objectives_learn_the_shares_of_categories_and_the_means_of_a_number_given_them() {
    for objective in [
        "{ objective: flow_matching }",
        "{ objective: diffusion, noise_schedule: cosine }",
        // Unweighted: with the weight of the SNR the shares are decided where it is small.
        "{ objective: ct, noise_schedule: cosine, loss: { use_snr_weight: false } }",
    ] {
        let mut model = trained(objective);
        let samples = model.sample(&[8000], None, 3).unwrap();
        let table = model.units().table(&samples);
        let (code, number) = (table.select(1, 0), table.select(1, 1));
        for (i, (share, mean)) in SHARES.iter().zip(MEANS).enumerate() {
            let is = code.eq(i as f64);
            let found = is.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            assert!((found - share).abs() < 0.03, "{objective}: share {i} is {found}");
            let found = number.masked_select(&is).mean(Kind::Double).double_value(&[]);
            assert!((found - mean).abs() < 0.1, "{objective}: mean {i} is {found}");
        }
    }
}
