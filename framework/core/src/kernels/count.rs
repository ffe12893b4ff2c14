//! Number of multiply-adds that LibTorch's operations take.

use std::marker::PhantomData;

unsafe extern "C" {
    fn triflow_count_begin(before: *mut i64) -> u64;
    fn triflow_count_end(handle: u64, before: i64) -> i64;
}

/// Result of `work`, and the number of multiply-adds of the matrix products, convolutions and
/// attention that it does on the calling thread.
pub fn multiply_adds<T>(work: impl FnOnce() -> T) -> (T, i64) {
    let counter = Counter::start();
    let result = work();
    (result, counter.end())
}

/// A counter of this thread that ends when dropped, also by a panic.
struct Counter {
    handle: u64,
    /// Count of the counter outside this one.
    before: i64,
    found: Option<i64>,
    /// Not `Send`: the counter belongs to the thread.
    _thread: PhantomData<*const ()>,
}

impl Counter {
    fn start() -> Self {
        let mut before = 0;
        // SAFETY: writes a number that outlives the call, and registers a callback of this thread.
        let handle = unsafe { triflow_count_begin(&raw mut before) };
        Self { handle, before, found: None, _thread: PhantomData }
    }

    fn stop(&mut self) -> i64 {
        // SAFETY: ends what `start` began, once, on the same thread.
        *self.found.get_or_insert_with(|| unsafe { triflow_count_end(self.handle, self.before) })
    }

    fn end(mut self) -> i64 {
        self.stop()
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::multiply_adds;
    use crate::kernels::{Activation, Affine, End, chain};
    use tch::{Device, Kind, Tensor};

    fn zeros(shape: &[i64]) -> Tensor {
        Tensor::zeros(shape, (Kind::Float, Device::Cpu))
    }

    #[test]
    fn products_convolutions_attention_and_chains_are_counted() {
        let count = |work: &dyn Fn() -> Tensor| multiply_adds(work).1;
        let none = None::<&Tensor>;
        let (x, w) = (zeros(&[5, 7]), zeros(&[3, 7]));
        assert_eq!(count(&|| x.linear(&w, none)), 5 * 7 * 3);
        assert_eq!(count(&|| x.linear(&w, Some(&zeros(&[3])))), 5 * 7 * 3);
        assert_eq!(count(&|| zeros(&[2, 5, 7]).linear(&w, none)), 2 * 5 * 7 * 3);
        assert_eq!(count(&|| zeros(&[2, 5, 7]).matmul(&zeros(&[2, 7, 4]))), 2 * 5 * 7 * 4);
        assert_eq!(count(&|| x.relu() + 1.0), 0);

        let (image, kernel) = (zeros(&[2, 3, 8, 6]), zeros(&[4, 3, 3, 3]));
        let convolved = |stride, padding| {
            image.conv2d(&kernel, none, [stride, stride], [padding, padding], [1, 1], 1)
        };
        assert_eq!(count(&|| convolved(1, 1)), 2 * 8 * 6 * 4 * 3 * 9);
        assert_eq!(count(&|| convolved(2, 1)), 2 * 4 * 3 * 4 * 3 * 9);
        let transposed = zeros(&[3, 4, 2, 2]);
        let up = || image.conv_transpose2d(&transposed, none, [2, 2], [0, 0], [0, 0], 1, [1, 1]);
        assert_eq!(count(&up), 2 * 8 * 6 * 3 * 4 * 4);
        let line = || zeros(&[2, 3, 9]).conv1d(&zeros(&[4, 3, 3]), none, [1], [1], [1], 1);
        assert_eq!(count(&line), 2 * 9 * 4 * 3 * 3);

        let q = zeros(&[2, 4, 6, 8]);
        let attend = || {
            Tensor::scaled_dot_product_attention(
                &q,
                &q,
                &q,
                None::<Tensor>,
                0.0,
                false,
                None,
                false,
            )
        };
        assert_eq!(count(&attend), 2 * 2 * 4 * 6 * 6 * 8);

        let (weight, bias) = (zeros(&[3, 7]), zeros(&[3]));
        let layer = Affine { weight: &weight, bias: Some(&bias) };
        let fused = || chain(&[&x], None, &[layer], Activation::Swish, End::Activated);
        assert_eq!(count(&fused), 5 * (7 + 1) * 3);
        // The hyperbolic tangent has no fused route.
        let plain = || chain(&[&x], None, &[layer], Activation::Tanh, End::Activated);
        assert_eq!(count(&plain), 5 * 7 * 3);
    }

    #[test]
    fn a_counter_within_another_counts_for_both() {
        let (x, w) = (zeros(&[5, 7]), zeros(&[3, 7]));
        let product = || x.linear(&w, None::<&Tensor>);
        let (inner, outer) = multiply_adds(|| {
            let _ = product();
            multiply_adds(product).1
        });
        assert_eq!((inner, outer), (105, 210));
        assert_eq!(multiply_adds(|| ()).1, 0);
    }
}
