//! Conditional residual networks (CRNs) f(z, x, t) and the conditions that they receive.

use super::{BuildContext, Pass, Reading};
use crate::component_kind;
use std::cell::RefCell;
use std::collections::BTreeMap;
use tch::Tensor;

/// Conditions x of a batch, which may be missing for some rows.
#[derive(Debug)]
pub struct Condition {
    /// Values, `[batch, …condition_shape]`.
    pub value: Tensor,
    /// `[batch]` of 1 and 0: 0 where a row has no condition (dropped in training, or the
    /// unconditional half of a guided evaluation); `None`: all rows have one.
    pub present: Option<Tensor>,
    /// `[batch, T]` of 1 and 0 for sequences of different lengths: 0 in the padding, which holds
    /// zeros; `None`: no padding.
    pub mask: Option<Tensor>,
    /// Memo of tensors that components compute from this condition.
    memo: Memo,
}

impl Condition {
    /// Conditions `[batch, …condition_shape]` of all rows, without padding.
    pub fn new(value: Tensor) -> Self {
        Self { value, present: None, mask: None, memo: Memo::default() }
    }

    /// Sets the rows that have a condition, `present`, and the mask of sequences.
    #[must_use]
    pub fn with(self, present: Option<Tensor>, mask: Option<Tensor>) -> Self {
        Self { present, mask, ..self }
    }

    /// The conditions of `n` rows from row `from` on, with an empty memo.
    #[must_use]
    pub fn narrow(&self, from: i64, n: i64) -> Self {
        let part = |t: &Tensor| t.narrow(0, from, n);
        Self::new(part(&self.value))
            .with(self.present.as_ref().map(part), self.mask.as_ref().map(part))
    }

    /// Memoises `make()` per caller while one path is sampled; it may depend on this condition and
    /// on `by` alone. `by` is identified by address and type, because a struct and its first field
    /// share an address.
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

    /// Memoises from now until the returned guard is dropped. Parameters must not change meanwhile.
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

/// Tensors by address and type of the caller; `None` while nothing is memoised.
#[derive(Debug, Default)]
struct Memo(RefCell<Option<BTreeMap<(usize, &'static str), Tensor>>>);

/// Input of one evaluation of a CRN.
#[derive(Debug)]
pub struct CrnInput<'a> {
    /// State z, `[batch, …z_shape]`, in the scale in which the path hands it to networks
    /// ([`GaussianPath::input_scale`](super::GaussianPath::input_scale)).
    pub z: &'a Tensor,
    /// State z on the path, `[batch, …z_shape]`, for a prediction in closed form.
    pub state: &'a Tensor,
    /// Time, `[batch]`: t, or the normalised log-SNR (γ − γ(0)) / (γ(1) − γ(0)) where the schedule
    /// is learnable.
    pub time: &'a Tensor,
    /// The condition, if the model has one.
    pub condition: Option<&'a Condition>,
    /// Point of the path and meaning (p, q) of the output there, one for all rows or one for each.
    pub reading: &'a Reading<'a>,
}

/// Direction in which an output can vary with z; see [`Crn::sense`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sense {
    /// True for the gradient of a convex function of z, false for minus such a gradient.
    pub rising: bool,
    /// Advice on how to get the other sense, such as "set `crn.sign: 1`".
    pub otherwise: String,
}

component_kind! {
    /// The conditional residual network f(z, x, t): a backbone and its reading.
    kind "crn", context<'a> BuildContext<'a>;

    /// Predicts the objective's mix of data and noise.
    pub trait Crn {
        /// The output, `[batch, …z_shape]`.
        fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor>;
    }
    provided {
        /// Direction in which the output can vary with z, for all parameters and up to a multiple
        /// of z that depends on time alone; `None` where it is free. The expected data given z are
        /// the gradient of a convex function of z, so an objective that predicts data needs a CRN
        /// that can rise.
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
