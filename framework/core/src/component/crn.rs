//! CRNs: the conditional network f(z, x, t).

use super::{BuildContext, Pass};
use crate::component_kind;
use std::cell::RefCell;
use std::collections::BTreeMap;
use tch::Tensor;

/// A condition, possibly absent for some rows.
#[derive(Debug)]
pub struct Condition {
    /// `[batch, …condition_shape]`.
    pub value: Tensor,
    /// `[batch]` of 0 and 1, where rows without condition (dropped in training, or the unconditional
    /// half of a guided evaluation) are 0; `None` when all are present.
    pub present: Option<Tensor>,
    /// `[batch, T]` of 1 and 0, where the conditions are sequences of different lengths: positions that are
    /// not padding, which holds zeros; `None` when all are there.
    pub mask: Option<Tensor>,
    /// What components have made of it.
    memo: Memo,
}

impl Condition {
    /// Conditions `[batch, …condition_shape]` that are all present, without padding.
    pub fn new(value: Tensor) -> Self {
        Self { value, present: None, mask: None, memo: Memo::default() }
    }

    /// The same with the rows that have one, and the positions that are not padding.
    #[must_use]
    pub fn with(self, present: Option<Tensor>, mask: Option<Tensor>) -> Self {
        Self { present, mask, ..self }
    }

    /// Those of `n` rows from row `from` on.
    #[must_use]
    pub fn narrow(&self, from: i64, n: i64) -> Self {
        let part = |t: &Tensor| t.narrow(0, from, n);
        Self::new(part(&self.value))
            .with(self.present.as_ref().map(part), self.mask.as_ref().map(part))
    }

    /// Memoises `make()`, a function of this condition and of `by` alone, while one path is sampled in evaluation. `by`
    /// is known by its address and its type: a struct and its first field share the one, not the other.
    pub fn memoised<T>(&self, by: &T, make: impl FnOnce() -> Tensor) -> Tensor {
        let key = (std::ptr::from_ref(by).addr(), std::any::type_name::<T>());
        let known =
            self.memo.0.borrow().as_ref().and_then(|m| m.get(&key).map(Tensor::shallow_clone));
        known.unwrap_or_else(|| {
            let made = make();
            if let Some(all) = self.memo.0.borrow_mut().as_mut() {
                all.insert(key, made.shallow_clone());
            }
            made
        })
    }

    /// Until the answer is dropped, what is made once is kept: the parameters must not change meanwhile.
    pub fn keep_what_is_made(&self) -> impl Drop + '_ {
        struct Kept<'c>(&'c Memo);
        impl Drop for Kept<'_> {
            fn drop(&mut self) {
                self.0.0.replace(None);
            }
        }
        self.memo.0.replace(Some(BTreeMap::new()));
        Kept(&self.memo)
    }
}

/// By the address and the type of whoever made it; none where nothing is kept.
#[derive(Debug, Default)]
struct Memo(RefCell<Option<BTreeMap<(usize, &'static str), Tensor>>>);

/// One evaluation of a CRN.
#[derive(Debug)]
pub struct CrnInput<'a> {
    /// `[batch, …z_shape]`.
    pub z: &'a Tensor,
    /// `[batch]`: t, or normalised log-SNR (γ − γ(0)) / (γ(1) − γ(0)) when the schedule is learnable.
    pub time: &'a Tensor,
    /// The condition, if the model has one.
    pub condition: Option<&'a Condition>,
}

/// Which way an output can turn with z: see [`Crn::sense`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sense {
    /// Whether it is the gradient of a convex function of z, else minus the gradient of one.
    pub rising: bool,
    /// What to set for the other sense, such as "set `crn.sign: 1`".
    pub otherwise: String,
}

component_kind! {
    /// The conditional network f(z, x, t): a backbone and a reading of it.
    kind "crn", spec CrnSpec, context<'a> BuildContext<'a>;

    /// Predicts what the objective says.
    pub trait Crn {
        /// `[batch, …z_shape]`.
        fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor>;
    }
    provided {
        /// Which way its output can turn with z, whatever the parameters and up to a multiple of z that
        /// depends on time alone; `None` where it is free. The data given z are the gradient of a convex
        /// function of z, so an objective that predicts them needs one that can rise.
        fn sense(&self) -> Result<Option<Sense>> {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn a_struct_and_its_first_field_keep_apart_what_they_make() {
        struct Inner(u8);
        struct Outer {
            inner: Inner,
        }
        let outer = Outer { inner: Inner(1) };
        assert_eq!(std::ptr::from_ref(&outer).addr(), std::ptr::from_ref(&outer.inner.0).addr());
        let condition = Condition::new(Tensor::zeros([1], (Kind::Float, Device::Cpu)));
        let number = |n: f64| move || Tensor::from(n);
        let _kept = condition.keep_what_is_made();
        assert_eq!(condition.memoised(&outer, number(1.0)).double_value(&[]), 1.0);
        assert_eq!(condition.memoised(&outer.inner, number(2.0)).double_value(&[]), 2.0);
        assert_eq!(condition.memoised(&outer, number(3.0)).double_value(&[]), 1.0);
    }
}
