//! Checks of learned variables: gradients reach them, and they can be saved and loaded.

use super::expect::{all_identical, ensure};
use super::seeds::{KIT, OTHER, seeded};
use crate::error::{Error, Result};
use tch::{Tensor, nn};

/// Trainable variables, sorted by name.
pub(super) fn trainable(vars: &nn::VarStore) -> Vec<(String, Tensor)> {
    let mut named: Vec<_> =
        vars.variables().into_iter().filter(|(_, v)| v.requires_grad()).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named
}

/// Changes every trainable variable a little, so that layers that start at zero do not block
/// gradients.
pub(super) fn perturb(vars: &nn::VarStore) {
    tch::no_grad(|| {
        for (_, mut variable) in trainable(vars) {
            let moved = &variable + variable.randn_like() * 0.05;
            variable.copy_(&moved);
        }
    });
}

/// Gradient of `loss` with respect to each of `inputs`; `None` where `loss` does not depend on it.
pub(super) fn gradients(loss: &Tensor, inputs: &[&Tensor]) -> Result<Vec<Option<Tensor>>> {
    if !loss.requires_grad() || inputs.is_empty() {
        return Ok(inputs.iter().map(|_| None).collect());
    }
    let all = Tensor::f_run_backward(&[loss], inputs, true, false)
        .map_err(|e| Error::runtime(format!("no gradient can be taken: {}", Error::from(e))))?;
    Ok(all.into_iter().map(|g| g.defined().then_some(g)).collect())
}

/// Checks that the gradient of `loss` with respect to each named tensor is finite and not all zero.
pub(super) fn reaches(loss: &Tensor, named: &[(String, Tensor)]) -> Result<()> {
    let tensors: Vec<&Tensor> = named.iter().map(|(_, v)| v).collect();
    let found = gradients(loss, &tensors)?;
    let arrives = |gradient: &Option<Tensor>| {
        gradient.as_ref().is_some_and(|g| {
            g.isfinite().all().int64_value(&[]) == 1
                && g.count_nonzero(None::<i64>).int64_value(&[]) > 0
        })
    };
    let missed: Vec<String> = named
        .iter()
        .zip(&found)
        .filter(|(_, gradient)| !arrives(gradient))
        .map(|((name, _), _)| format!("`{name}`"))
        .collect();
    ensure(missed.is_empty(), || {
        format!("no finite, non-zero gradient reaches {}", missed.join(", "))
    })
}

/// A component with its variables.
pub(super) type Built<T> = (nn::VarStore, T);

/// Checks that variables saved and loaded into a second component, built with another seed, give
/// the same results of `run` bit for bit.
pub(super) fn saved_and_loaded<T>(
    build: impl Fn() -> Result<Built<T>>,
    run: impl Fn(&T) -> Result<Vec<Tensor>>,
) -> Result<()> {
    let (vars, built) = seeded(KIT, &build)?;
    perturb(&vars);
    let (mut other_vars, other) = seeded(OTHER, &build)?;
    if !vars.is_empty() {
        let folder = tempfile::tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
        let file = folder.path().join("variables.safetensors");
        vars.save(&file)
            .map_err(|e| Error::runtime(format!("the variables cannot be saved: {e}")))?;
        other_vars
            .load(&file)
            .map_err(|e| Error::runtime(format!("the saved variables cannot be loaded: {e}")))?;
    }
    let (saved, loaded) = (seeded(KIT, || run(&built))?, seeded(KIT, || run(&other))?);
    ensure(all_identical(&saved, &loaded), || {
        "with saved and loaded variables the output differs; every random or learned number must be a \
         variable of the context's `vars`"
            .to_owned()
    })
}
