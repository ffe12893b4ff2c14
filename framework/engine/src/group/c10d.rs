//! The functions of `c10d.cpp`.

#![expect(unsafe_code, reason = "calls LibTorch's c10d through `c10d.cpp`")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::Duration;
use tch::Tensor;

#[repr(C)]
struct Raw {
    _private: [u8; 0],
}

#[repr(C)]
struct RawSum {
    _private: [u8; 0],
}

type Message = *mut *mut c_char;

unsafe extern "C" {
    fn triflow_group_open(
        host: *const c_char,
        port: c_int,
        serve: c_int,
        listener: c_int,
        prefix: *const c_char,
        rank: c_int,
        size: c_int,
        timeout_ms: i64,
        group: *mut *mut Raw,
        error: Message,
    ) -> c_int;
    fn triflow_group_connect(
        group: *mut Raw,
        address: *const c_char,
        nccl_library: *const c_char,
        device: c_int,
        error: Message,
    ) -> c_int;
    fn triflow_group_set(
        group: *mut Raw,
        key: *const c_char,
        value: *const c_char,
        error: Message,
    ) -> c_int;
    fn triflow_group_get(
        group: *mut Raw,
        key: *const c_char,
        timeout_ms: i64,
        value: Message,
        error: Message,
    ) -> c_int;
    fn triflow_group_set_first(
        group: *mut Raw,
        key: *const c_char,
        value: *const c_char,
        now: Message,
        error: Message,
    ) -> c_int;
    fn triflow_group_find(
        group: *mut Raw,
        key: *const c_char,
        value: Message,
        error: Message,
    ) -> c_int;
    fn triflow_group_count(
        group: *mut Raw,
        key: *const c_char,
        now: *mut i64,
        error: Message,
    ) -> c_int;
    fn triflow_group_begin_sum(
        group: *mut Raw,
        tensor: *mut c_void,
        sum: *mut *mut RawSum,
        error: Message,
    ) -> c_int;
    fn triflow_group_await_sum(sum: *mut RawSum, error: Message) -> c_int;
    fn triflow_group_drop_sum(sum: *mut RawSum);
    fn triflow_group_broadcast(
        group: *mut Raw,
        tensor: *mut c_void,
        from: c_int,
        error: Message,
    ) -> c_int;
    fn triflow_group_disconnect(group: *mut Raw);
    fn triflow_group_drop(group: *mut Raw);
    fn triflow_group_free(text: *mut c_char);
}

/// Result with the message of LibTorch.
pub type Answer<T> = Result<T, String>;

/// A store where processes leave texts for each other, and connections that sum tensors.
#[derive(Debug)]
pub struct C10d(*mut Raw);

// SAFETY: the store and the backends of c10d lock what they share between threads.
unsafe impl Send for C10d {}
// SAFETY: as above.
unsafe impl Sync for C10d {}

/// Where the processes meet.
#[derive(Debug)]
pub struct Meeting {
    pub host: String,
    pub port: u16,
    /// True if this process keeps the store.
    pub serves: bool,
    /// The socket at which it listens; `None`: on all interfaces.
    pub listener: Option<OwnedFd>,
    /// Prefix of all keys.
    pub prefix: String,
    pub rank: usize,
    pub size: usize,
    /// Longest wait for another process.
    pub timeout: Duration,
}

impl C10d {
    /// Opens the store.
    pub fn open(at: Meeting) -> Answer<Self> {
        let (host, prefix) = (text(&at.host), text(&at.prefix));
        let listener = at.listener.map_or(-1, |socket| socket.into_raw_fd());
        let mut group = null_mut();
        // SAFETY: the texts outlive the call, which takes over the listener.
        checked(|error| unsafe {
            triflow_group_open(
                host.as_ptr(),
                c_int::from(at.port),
                c_int::from(at.serves),
                listener,
                prefix.as_ptr(),
                at.rank as c_int,
                at.size as c_int,
                at.timeout.as_millis() as i64,
                &raw mut group,
                error,
            )
        })?;
        Ok(Self(group))
    }

    /// Connects with the others: by gloo from this machine's `address`, or by the library of NCCL
    /// at a path, with a GPU.
    pub fn connect(&self, address: &str, nccl: Option<(&Path, usize)>) -> Answer<()> {
        let address = text(address);
        let library = nccl.map(|(path, _)| text(&path.to_string_lossy()));
        let library = library.as_ref().map_or(null(), |path| path.as_ptr());
        let device = nccl.map_or(0, |(_, device)| device as c_int);
        // SAFETY: the texts outlive the call.
        checked(|error| unsafe {
            triflow_group_connect(self.0, address.as_ptr(), library, device, error)
        })
    }

    /// Sets the text of a key.
    pub fn set(&self, key: &str, value: &str) -> Answer<()> {
        let (key, value) = (text(key), text(value));
        // SAFETY: the texts outlive the call.
        checked(|error| unsafe { triflow_group_set(self.0, key.as_ptr(), value.as_ptr(), error) })
    }

    /// Waits for the text of a key, for 1 ms or longer.
    pub fn get(&self, key: &str, limit: Duration) -> Answer<String> {
        let (key, mut value) = (text(key), null_mut());
        let limit = limit.as_millis() as i64;
        // SAFETY: the text outlives the call, whose answer is taken once.
        unsafe {
            checked(|error| triflow_group_get(self.0, key.as_ptr(), limit, &raw mut value, error))?;
            Ok(taken(value).unwrap_or_default())
        }
    }

    /// Sets the text of a key that has none; returns the text that it has afterwards.
    pub fn set_first(&self, key: &str, value: &str) -> Answer<String> {
        let (key, value, mut now) = (text(key), text(value), null_mut());
        // SAFETY: the texts outlive the call, whose answer is taken once.
        unsafe {
            checked(|error| {
                triflow_group_set_first(self.0, key.as_ptr(), value.as_ptr(), &raw mut now, error)
            })?;
            Ok(taken(now).unwrap_or_default())
        }
    }

    /// The text of a key, if it has one.
    pub fn find(&self, key: &str) -> Answer<Option<String>> {
        let (key, mut value) = (text(key), null_mut());
        // SAFETY: the text outlives the call, whose answer is taken once.
        unsafe {
            checked(|error| triflow_group_find(self.0, key.as_ptr(), &raw mut value, error))?;
            Ok(taken(value))
        }
    }

    /// Adds 1 to a counter, and returns its value.
    pub fn count(&self, key: &str) -> Answer<i64> {
        let (key, mut now) = (text(key), 0);
        // SAFETY: the text outlives the call.
        checked(|error| unsafe { triflow_group_count(self.0, key.as_ptr(), &raw mut now, error) })?;
        Ok(now)
    }

    /// Begins to replace a contiguous tensor by its sum over the processes.
    pub fn begin_sum(&self, tensor: &mut Tensor) -> Answer<Sum> {
        let mut sum = null_mut();
        // SAFETY: the tensor outlives the call, and the sum keeps its memory.
        checked(|error| unsafe {
            triflow_group_begin_sum(self.0, pointer(tensor), &raw mut sum, error)
        })?;
        Ok(Sum(sum))
    }

    /// Replaces a contiguous tensor by that of the process `from`.
    pub fn broadcast(&self, tensor: &mut Tensor, from: usize) -> Answer<()> {
        // SAFETY: the tensor is borrowed mutably during the call.
        checked(|error| unsafe {
            triflow_group_broadcast(self.0, pointer(tensor), from as c_int, error)
        })
    }

    /// Closes the connections; the store stays open.
    pub fn disconnect(&self) {
        // SAFETY: the group lives.
        unsafe { triflow_group_disconnect(self.0) }
    }
}

impl Drop for C10d {
    fn drop(&mut self) {
        // SAFETY: it was opened, and is dropped once.
        unsafe { triflow_group_drop(self.0) }
    }
}

/// A sum that is under way in the background. The tensor is not to be used until it was awaited;
/// dropped before, it goes on, and keeps the tensor's memory.
#[derive(Debug)]
pub struct Sum(*mut RawSum);

impl Sum {
    /// Waits for the sum.
    pub fn wait(&self) -> Answer<()> {
        // SAFETY: it was begun, and is dropped later.
        checked(|error| unsafe { triflow_group_await_sum(self.0, error) })
    }
}

impl Drop for Sum {
    fn drop(&mut self) {
        // SAFETY: it was begun, and is dropped once.
        unsafe { triflow_group_drop_sum(self.0) }
    }
}

fn pointer(tensor: &Tensor) -> *mut c_void {
    tensor.as_ptr().cast_mut().cast()
}

/// A text for C, up to its first zero.
fn text(of: &str) -> CString {
    CString::new(of.split('\0').next().unwrap_or_default()).unwrap_or_default()
}

fn checked(call: impl FnOnce(Message) -> c_int) -> Answer<()> {
    let mut error = null_mut();
    if call(&raw mut error) == 0 {
        return Ok(());
    }
    // SAFETY: if the answer is not 0, there is a message, which is taken once.
    let message = unsafe { taken(error) }.unwrap_or_default();
    Err(message.lines().next().unwrap_or_default().to_owned())
}

/// Takes a text that C allocated; `None` for null.
///
/// # Safety
/// The pointer is null or a text of the shim that was not taken yet.
unsafe fn taken(text: *mut c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: see above.
    unsafe {
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        triflow_group_free(text);
        Some(owned)
    }
}
