//! The function of `record.cpp`.

#![expect(unsafe_code, reason = "calls LibTorch's tracer through `record.cpp`")]

use crate::error::{Error, Result};
use crate::registry::guard_engine;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use tch::Tensor;

type Pointer = *const c_void;

unsafe extern "C" {
    fn triflow_record(
        variable_names: *const *const c_char,
        keys: *const Pointer,
        values: *const Pointer,
        variable_count: c_int,
        input_names: *const *const c_char,
        rows: *const Pointer,
        input_count: c_int,
        function: extern "C" fn(*mut c_void, *const Pointer) -> Pointer,
        context: *mut c_void,
        about: *const c_char,
        size: *mut usize,
        error: *mut *mut c_char,
    ) -> *mut c_char;
    fn triflow_record_free(bytes: *mut c_char);
}

/// A variable of the function.
#[derive(Debug)]
pub(super) struct Variable {
    /// Its name, whose parts are joined by points.
    pub name: String,
    /// The tensor that the function computes with.
    pub key: Tensor,
    /// The values that are saved, in the shape of `key`.
    pub value: Tensor,
}

type Function<'f> = dyn FnMut(&[Tensor]) -> Result<Tensor> + 'f;

struct Context<'f> {
    function: &'f mut Function<'f>,
    inputs: usize,
    failed: Option<Error>,
}

/// The TorchScript archive of `function`, with the text `about` as the extra file `triflow.json`.
///
/// `names` are those of its inputs, and `batches` their values in two batches whose numbers of
/// rows, the first axis of each input, have no common factor. The function is evaluated several
/// times. In the archive the number of rows is free; variables that the function does not read are
/// left out.
///
/// # Errors
/// Those of `function`. [`Error::Runtime`]: what it computes depends on the values of the inputs,
/// or on the number of rows, in a way that LibTorch does not record.
pub(super) fn record<'f>(
    variables: &[Variable],
    names: &[&str],
    batches: [&[Tensor]; 2],
    about: &str,
    function: &'f mut Function<'f>,
) -> Result<Vec<u8>> {
    let text = |text: &str| CString::new(text).map_err(|e| Error::runtime(e.to_string()));
    let texts = |all: Vec<&str>| all.into_iter().map(text).collect::<Result<Vec<_>>>();
    let (own, inputs, about) = (
        texts(variables.iter().map(|v| v.name.as_str()).collect())?,
        texts(names.to_vec())?,
        text(about)?,
    );
    let pointers = |all: &[CString]| all.iter().map(|text| text.as_ptr()).collect::<Vec<_>>();
    let (own_names, input_names) = (pointers(&own), pointers(&inputs));
    let tensor = |t: &Tensor| t.as_ptr() as Pointer;
    let keys: Vec<Pointer> = variables.iter().map(|v| tensor(&v.key)).collect();
    let values: Vec<Pointer> = variables.iter().map(|v| tensor(&v.value)).collect();
    let rows: Vec<Pointer> = batches.iter().flat_map(|all| all.iter().map(tensor)).collect();
    let mut context = Context { function, inputs: names.len(), failed: None };
    let (mut size, mut error) = (0, std::ptr::null_mut());
    // SAFETY: all pointers are of values that outlive the call, and the counts are theirs; `call`
    // gets the context whose pointer is given.
    let bytes = unsafe {
        triflow_record(
            own_names.as_ptr(),
            keys.as_ptr(),
            values.as_ptr(),
            keys.len() as c_int,
            input_names.as_ptr(),
            rows.as_ptr(),
            names.len() as c_int,
            call,
            (&raw mut context).cast(),
            about.as_ptr(),
            &mut size,
            &mut error,
        )
    };
    if bytes.is_null() {
        // SAFETY: without an archive there is a message, which is freed once.
        let message = unsafe {
            let message = CStr::from_ptr(error).to_string_lossy().into_owned();
            triflow_record_free(error);
            message
        };
        return Err(context.failed.unwrap_or_else(|| Error::runtime(message)));
    }
    // SAFETY: `size` bytes, which are freed once.
    unsafe {
        let archive = std::slice::from_raw_parts(bytes.cast::<u8>(), size).to_vec();
        triflow_record_free(bytes);
        Ok(archive)
    }
}

/// Evaluates the function of a [`Context`]; null if it fails, whose error the context keeps.
extern "C" fn call(context: *mut c_void, inputs: *const Pointer) -> Pointer {
    // SAFETY: the context and the tensors of the call outlive it, and nothing else uses them.
    let (context, inputs) = unsafe {
        let context = &mut *context.cast::<Context<'_>>();
        let at = |i| Tensor::clone_from_ptr((*inputs.add(i)).cast_mut().cast());
        let inputs: Vec<Tensor> = (0..context.inputs).map(at).collect();
        (context, inputs)
    };
    match guard_engine(|| (context.function)(&inputs)) {
        // The caller owns it.
        Ok(result) => ManuallyDrop::new(result).as_ptr() as Pointer,
        Err(e) => {
            context.failed = Some(e);
            std::ptr::null()
        }
    }
}
