use super::expect::{ensure, finite};
use super::parameters;
use super::part::{self, Part, Rows, Shapes, latent_shapes};
use super::{Check, Conformance, Kit};
use crate::component::{Network, NetworkContext, NetworkInput, Pass};
use crate::derivative::differentiate;
use crate::error::Result;
use crate::registry::Component;
use tch::{Device, Kind as DType, Tensor, nn};

/// Number of time features in the kit.
const TIME_FEATURES: i64 = 4;

inventory::submit!(Kit::of::<dyn Network>());

impl Conformance for dyn Network {
    const CHECKS: &'static [Check<Self>] = &[
        part::shape(),
        part::rows_independent(),
        part::deterministic(),
        part::same_seed(),
        part::gradients(),
        part::save_load(),
        part::absent_condition(),
        Check {
            name: "convex",
            about: "if it says that it is convex in z, its values are on or below their chords",
            run: convex,
        },
        Check {
            name: "derivatives",
            about: "built as a potential (one output, whose gradient and Hessian are used) it has a Hessian \
                    that is finite and not zero, or it refuses",
            run: derivatives,
        },
    ];
    const STARTER: &'static str = include_str!("starters/network.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        part::try_build(component)
    }
}

impl Part for dyn Network {
    fn shapes() -> Vec<Shapes> {
        latent_shapes()
    }

    fn build_at(component: &Component<Self>, vars: nn::Path, shapes: &Shapes) -> Result<Box<Self>> {
        component.build(&context(vars, shapes))
    }

    fn input(shapes: &Shapes) -> Vec<i64> {
        shapes.latent.clone()
    }

    fn output(&self, shapes: &Shapes) -> Result<Vec<i64>> {
        Ok(shapes.latent.clone())
    }

    fn run(&self, rows: &Rows, pass: Pass) -> Result<Vec<Tensor>> {
        Ok(vec![at(self, &rows.main, rows, pass)?])
    }
}

fn context<'a>(vars: nn::Path<'a>, shapes: &Shapes) -> NetworkContext<'a> {
    NetworkContext {
        vars,
        z_shape: shapes.latent.clone(),
        condition_shape: shapes.condition.clone(),
        time_features: TIME_FEATURES,
        output_shape: shapes.latent.clone(),
        derivatives: 0..=0,
    }
}

/// Output at `z`, with time and condition of `rows`.
fn at(network: &dyn Network, z: &Tensor, rows: &Rows, pass: Pass) -> Result<Tensor> {
    // sin(t), sin(2t), …
    let rates = Tensor::arange_start(1, TIME_FEATURES + 1, (rows.time.kind(), rows.time.device()));
    let time = (rows.time.unsqueeze(1) * rates).sin();
    network.forward(&NetworkInput { z, condition: rows.condition.as_ref(), time: &time }, pass)
}

fn convex(component: &Component<dyn Network>) -> Result<()> {
    part::with_all_shapes(component, DType::Double, |built| {
        if !built.part.is_convex()? {
            return Ok(());
        }
        let rows = built.rows(50);
        let value = |z: &Tensor| at(&*built.part, z, &rows, Pass::EVAL);
        for length in [0.1, 1.0, 10.0] {
            let other = &rows.main + rows.main.randn_like() * length;
            let chord = (value(&rows.main)? + value(&other)?) * 0.5;
            let above = value(&((&rows.main + &other) * 0.5))? - &chord;
            let above = (above / chord.abs().clamp_min(1.0)).max().double_value(&[]);
            ensure(above <= 1e-9, || {
                format!(
                    "half-way between two points it is {above:.2e} above the chord, expected at most 0"
                )
            })?;
        }
        Ok(())
    })
}

fn derivatives(component: &Component<dyn Network>) -> Result<()> {
    for shapes in latent_shapes() {
        let mut vars = nn::VarStore::new(Device::Cpu);
        vars.set_kind(DType::Double);
        let orders = 1..=2;
        let context = NetworkContext {
            output_shape: vec![1],
            derivatives: orders,
            ..context(vars.root(), &shapes)
        };
        let Ok(network) = component.build(&context) else { continue };
        parameters::perturb(&vars);
        let rows = Rows::draw(&shapes.latent, shapes.condition.as_deref(), 6, DType::Double);
        let pass = Pass { dropout: false, ..Pass::TRAIN };
        let along = differentiate(&rows.main, |z| {
            let slope = z.gradient(&at(&*network, z.value(), &rows, pass)?, true)?;
            z.gradient(&(&slope * slope.randn_like().detach()), false)
        })?;
        finite("the Hessian along a direction", &along)?;
        ensure(along.count_nonzero(None::<i64>).int64_value(&[]) > 0, || {
            "its second derivative with respect to z is zero; refuse `derivatives` other than 0..=0, or use a \
             smooth activation"
                .to_owned()
        })?;
    }
    Ok(())
}
