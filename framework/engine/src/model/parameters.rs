use crate::error::{Error, Result};
use crate::kernels;
use tch::{Tensor, nn};

/// The learned variables of a model as views of one flat tensor, so that an optimizer step, the EMA
/// and a checkpoint take a few operations each, whatever the number of layers.
#[derive(Debug)]
pub struct Parameters {
    /// Name, shape and offset of each variable, sorted by name.
    layout: Vec<(String, Vec<i64>, i64)>,
    variables: Vec<Tensor>,
    /// Offset and count of variables that are not trained.
    frozen: Vec<(i64, i64)>,
    /// Variables that are never learned, sorted by name.
    fixed: Vec<(String, Tensor)>,
    /// All values, `[parameters]`; writing to it changes the model.
    pub flat: Tensor,
}

impl Parameters {
    /// Moves the learned variables of `vars` into one tensor, which is empty if there are none.
    pub fn new(vars: &nn::VarStore) -> Self {
        let mut all: Vec<(String, Tensor)> = vars.variables().into_iter().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let (named, fixed): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, variable)| variable.requires_grad());
        let pieces: Vec<Tensor> = named.iter().map(|(_, v)| v.detach().reshape([-1])).collect();
        let flat = match pieces.is_empty() {
            true => Tensor::zeros([0], (vars.kind(), vars.device())),
            false => tch::no_grad(|| Tensor::cat(&pieces, 0)),
        };
        let (mut layout, mut variables, mut offset) = (Vec::new(), Vec::new(), 0);
        for (name, mut variable) in named {
            let (shape, count) = (variable.size(), variable.numel() as i64);
            tch::no_grad(|| {
                variable.set_data(&flat.narrow(0, offset, count).view(shape.as_slice()))
            });
            layout.push((name, shape, offset));
            variables.push(variable);
            offset += count;
        }
        Self { layout, variables, frozen: Vec::new(), fixed, flat }
    }

    /// Variables that are never learned, such as those of a fixed noise schedule, by name. They are
    /// drawn when the model is built, which gives others on another device.
    pub fn fixed(&self) -> &[(String, Tensor)] {
        &self.fixed
    }

    /// Excludes the variables whose names begin with `prefix` from training: they get no gradient,
    /// and no step changes them.
    pub fn freeze(&mut self, prefix: &str) {
        for ((name, shape, offset), variable) in self.layout.iter().zip(&self.variables) {
            if name.starts_with(prefix) {
                let _ = variable.set_requires_grad(false);
                self.frozen.push((*offset, shape.iter().product()));
            }
        }
    }

    /// Calls `step` on the flat tensor and restores frozen variables, which weight decay, for
    /// example, would change.
    pub fn step<T>(&mut self, step: impl FnOnce(&mut Tensor) -> T) -> T {
        let cut = |flat: &Tensor, &(offset, count): &(i64, i64)| flat.narrow(0, offset, count);
        let saved: Vec<Tensor> = self.frozen.iter().map(|at| cut(&self.flat, at).copy()).collect();
        let result = step(&mut self.flat);
        for (at, saved) in self.frozen.iter().zip(saved) {
            cut(&self.flat, at).copy_(&saved);
        }
        result
    }

    /// Number of parameters.
    pub fn count(&self) -> i64 {
        self.flat.numel() as i64
    }

    /// Computes the gradient of `loss`, `[parameters]`; it is zero for parameters that `loss` does
    /// not depend on.
    ///
    /// # Errors
    /// [`Error::Runtime`]: `loss` depends on no parameter.
    pub fn gradient(&self, loss: &Tensor) -> Result<Tensor> {
        check_graph(loss)?;
        Ok(kernels::gradient(loss, &self.variables))
    }

    /// Computes the gradient of `loss` as [`gradient`](Self::gradient) does. `arrived` is called
    /// with the flat tensor and the number of each variable once, as soon as the gradient of the
    /// variable is complete, and may change that gradient.
    ///
    /// # Errors
    /// Those of [`gradient`](Self::gradient).
    pub fn gradient_as_it_arrives(
        &self,
        loss: &Tensor,
        arrived: &mut dyn FnMut(&mut Tensor, usize),
    ) -> Result<Tensor> {
        check_graph(loss)?;
        Ok(kernels::gradient_as_it_arrives(loss, &self.variables, arrived))
    }

    /// Number of values of each variable, in their order in the flat tensor.
    pub fn sizes(&self) -> Vec<i64> {
        self.layout.iter().map(|(_, shape, _)| shape.iter().product()).collect()
    }

    /// Cuts a flat tensor `[parameters]` into views of the variables' shapes, with their names.
    pub fn named(&self, flat: &Tensor) -> Vec<(String, Tensor)> {
        let piece = |(name, shape, offset): &(String, Vec<i64>, i64)| {
            let count: i64 = shape.iter().product();
            (name.clone(), flat.narrow(0, *offset, count).view(shape.as_slice()))
        };
        self.layout.iter().map(piece).collect()
    }

    /// Runs `f` with the model's parameters replaced by `other` `[parameters]`, and restores them.
    pub fn with<T>(&mut self, other: &Tensor, f: impl FnOnce() -> T) -> T {
        let saved = self.flat.copy();
        tch::no_grad(|| self.flat.copy_(other));
        let result = f();
        tch::no_grad(|| self.flat.copy_(&saved));
        result
    }
}

/// Checks that the loss depends on a variable: LibTorch would abort the process.
fn check_graph(loss: &Tensor) -> Result<()> {
    if loss.requires_grad() {
        return Ok(());
    }
    Err(Error::runtime(
        "the loss does not depend on any parameter: a part of the model cuts the graph \
         (`detach`, `no_grad`, or a derivative taken without `differentiate`)",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn a_loss_without_a_graph_is_an_error() {
        let vs = nn::VarStore::new(Device::Cpu);
        let a = vs.root().var("a", &[1], nn::Init::Const(2.0));
        let p = Parameters::new(&vs);
        let loss = |a: &Tensor| (a * a).sum(Kind::Float);
        assert!(p.gradient(&loss(&a)).is_ok());
        for cut in [loss(&a.detach()), tch::no_grad(|| loss(&a))] {
            let error = p.gradient(&cut).unwrap_err().to_string();
            assert!(error.starts_with("the loss does not depend on any parameter"), "{error}");
        }
    }

    #[test]
    fn the_flat_tensor_is_the_model_and_gradients_arrive_in_its_order() {
        let vs = nn::VarStore::new(Device::Cpu);
        let b = vs.root().var("b", &[2], nn::Init::Const(3.0));
        let a = vs.root().var("a", &[1], nn::Init::Const(2.0));
        let _unused = vs.root().var("c", &[1], nn::Init::Const(0.0));
        let mut p = Parameters::new(&vs);
        let loss = || (&a * &a).sum(Kind::Float) + (&b * 5.0).sum(Kind::Float);
        let g: Vec<f32> = Vec::try_from(p.gradient(&loss()).unwrap()).unwrap();
        assert_eq!(g, [4.0, 5.0, 5.0, 0.0]);
        let _ = tch::no_grad(|| p.flat.fill_(1.0));
        assert_eq!(loss().double_value(&[]), 11.0);
        let inside =
            p.with(&Tensor::from_slice(&[0f32, 1.0, 1.0, 0.0]), || loss().double_value(&[]));
        assert_eq!((inside, loss().double_value(&[])), (10.0, 11.0));
    }
}
