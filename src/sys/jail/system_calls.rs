//! The system calls that neither std nor rustix has without `unsafe`.
#![expect(
    unsafe_code,
    reason = "plain numbers and structs of this file go to the kernel, and nothing is kept"
)]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

/// An open file by its number, which the program before this one has handed on; `None`: no such file is open, or it is a standard stream.
pub(super) fn own(number: i32) -> Option<OwnedFd> {
    // SAFETY: the number is open, and nothing else of this program owns it: it has opened nothing yet.
    unsafe { (number > 2 && libc::fcntl(number, libc::F_GETFD) >= 0).then(|| OwnedFd::from_raw_fd(number)) }
}

/// Closes every open file but the standard streams as soon as this process becomes another program.
pub(super) fn close_others() {
    const FIRST: u32 = 3;
    const AT_START: u32 = 4;
    // SAFETY: numbers only; no file is closed here.
    let is_done = unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, AT_START) } == 0;
    if is_done {
        return;
    }
    // A kernel before 5.11.
    for entry in std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: as above.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

/// Gives a signal its default effect, or none.
pub(super) fn set_default(signal: i32, is_default: bool) {
    let effect = if is_default { libc::SIG_DFL } else { libc::SIG_IGN };
    // SAFETY: no handler is installed.
    unsafe { libc::signal(signal, effect) };
}

/// Moves this process, which has one thread, into new namespaces.
pub(super) fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: no files or memory are unshared.
    checked(unsafe { libc::unshare(flags) })
}

/// Switches the loopback device of a new network on.
pub(super) fn raise_loopback() -> io::Result<()> {
    // SAFETY: a struct of numbers and bytes, for which zeros are valid; the name is shorter than its place.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        checked(socket)?;
        let mut request: libc::ifreq = std::mem::zeroed();
        (request.ifr_name[0], request.ifr_name[1]) = (b'l' as libc::c_char, b'o' as libc::c_char);
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let raised = checked(libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &request));
        libc::close(socket);
        raised
    }
}

/// Leaves the session's keys behind, in the keyring that a login has given to this process.
pub(super) fn leave_keyring() {
    const JOIN_SESSION_KEYRING: u64 = 1;
    // SAFETY: numbers only; without a name the new keyring is empty.
    let _ = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0_u64) }; // a kernel without keyrings has no keys
}

/// No program that is started gets more rights than this process has.
pub(super) fn forbid_new_privileges() -> io::Result<()> {
    // SAFETY: numbers only.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64) })
}

/// Gives up all capabilities, of this process and of those that it becomes.
pub(super) fn drop_capabilities() -> io::Result<()> {
    /// Linux has 41, and fits into 64.
    const MOST: u64 = 64;
    const VERSION_3: u32 = 0x2008_0522;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    // SAFETY: numbers, and two structs of the form that this version has.
    unsafe {
        for capability in 0..MOST {
            // One that the kernel does not know, or that this process may not drop, as it has none.
            let _ = libc::prctl(libc::PR_CAPBSET_DROP, capability, 0_u64, 0_u64, 0_u64);
        }
        let _ = libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0_u64, 0_u64, 0_u64);
        let header = Header { version: VERSION_3, pid: 0 };
        let none = [[0_u32; 3]; 2];
        let set = libc::syscall(libc::SYS_capset, &header, none.as_ptr());
        checked(i32::try_from(set).unwrap_or(-1))
    }
}

/// The number by which the kernel knows this processor's system calls.
#[cfg(target_arch = "x86_64")]
const PROCESSOR: Option<u32> = Some(0xc000_003e);
#[cfg(target_arch = "aarch64")]
const PROCESSOR: Option<u32> = Some(0xc000_00b7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const PROCESSOR: Option<u32> = None;

/// Installs a filter of system calls. In every sandbox there is no `io_uring`, which does what is forbidden without a call of its own, no key
/// that the kernel keeps for the user, no way to a hypervisor, and no call of another processor, which have other numbers. Where no
/// namespace keeps the agent apart there is no local socket either but pairs of connected ones, no memory, messages or semaphores that
/// programs share by a number, and no limit for another process.
pub(super) fn forbid(is_apart: bool) -> io::Result<()> {
    let Some(processor) = PROCESSOR else { return Err(io::ErrorKind::Unsupported.into()) };
    let filter = filter(processor, is_apart);
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).unwrap_or(0),
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the program, which lives until then.
    checked(unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER as u64, &raw const program)
    })
}

/// Where the kernel puts the number of the call, the processor, and the first two arguments.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST: u32 = 16;
const SECOND: u32 = 24;
/// What a socket's type is, without its flags.
const TYPE: u32 = 0xf;
/// System calls of another kind have this bit on one processor.
const X32: u32 = 0x4000_0000;

const ABSENT: [i64; 4] =
    [libc::SYS_io_uring_setup, libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_request_key];
/// Of what programs share by a number.
const SHARED: [i64; 4] = [libc::SYS_shmget, libc::SYS_msgget, libc::SYS_semget, libc::SYS_mq_open];
/// Those of a number that is known already.
const SHARED_BY_NUMBER: [i64; 8] = [
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
];

/// Calls whose first argument is a process; 0: this one.
const OF_PROCESS: [i64; 5] = [
    libc::SYS_prlimit64,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
];
/// Calls whose first argument says what the second one is: a process, a group, or from this number on all that a user has.
const OF_SEVERAL: [(i64, u32); 2] = [(libc::SYS_setpriority, 2), (libc::SYS_ioprio_set, 3)];

fn filter(processor: u32, is_apart: bool) -> Vec<libc::sock_filter> {
    let [socket, pair] = [libc::SYS_socket, libc::SYS_socketpair].map(|call| call as u32);
    let [local, hypervisor] = [libc::AF_UNIX as u32, libc::AF_VSOCK as u32];
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EACCES as u32;
    let missing = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    let allow = libc::SECCOMP_RET_ALLOW;
    let [load, equal, more, and, ret] = [
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K,
        libc::BPF_ALU | libc::BPF_AND | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    ];
    let step =
        |code: u32, yes: u8, no: u8, k: u32| libc::sock_filter { code: code as u16, jt: yes, jf: no, k };
    let mut filter = vec![
        step(load, 0, 0, ARCHITECTURE),
        step(equal, 1, 0, processor),
        step(ret, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        step(load, 0, 0, NUMBER),
        step(more, 0, 1, X32),
        step(ret, 0, 0, missing),
    ];
    let shared = SHARED.iter().chain(&SHARED_BY_NUMBER).filter(|_| !is_apart);
    for call in ABSENT.iter().chain(shared) {
        filter.extend([step(equal, 0, 1, *call as u32), step(ret, 0, 0, missing)]);
    }
    // A socket; not of these families.
    let families: &[u32] = if is_apart { &[hypervisor] } else { &[hypervisor, local] };
    filter.extend([step(equal, 0, 2 + 2 * families.len() as u8, socket), step(load, 0, 0, FIRST)]);
    for family in families {
        filter.extend([step(equal, 0, 1, *family), step(ret, 0, 0, refuse)]);
    }
    filter.push(step(ret, 0, 0, allow));
    if !is_apart {
        filter.extend([
            // A pair: one of datagrams could be connected elsewhere.
            step(equal, 0, 9, pair),
            step(load, 0, 0, FIRST),
            step(equal, 1, 0, local),
            step(ret, 0, 0, allow),
            step(load, 0, 0, SECOND),
            step(and, 0, 0, TYPE),
            step(equal, 1, 0, libc::SOCK_STREAM as u32),
            step(equal, 0, 1, libc::SOCK_SEQPACKET as u32),
            step(ret, 0, 0, allow),
            step(ret, 0, 0, refuse),
        ]);
        // Limits and turns of this very process.
        for call in OF_PROCESS {
            filter.extend([
                step(equal, 0, 4, call as u32),
                step(load, 0, 0, FIRST),
                step(equal, 0, 1, 0),
                step(ret, 0, 0, allow),
                step(ret, 0, 0, refuse),
            ]);
        }
        for (call, of_user) in OF_SEVERAL {
            filter.extend([
                step(equal, 0, 6, call as u32),
                step(load, 0, 0, SECOND),
                step(equal, 0, 3, 0),
                step(load, 0, 0, FIRST),
                step(more, 1, 0, of_user),
                step(ret, 0, 0, allow),
                step(ret, 0, 0, refuse),
            ]);
        }
    }
    filter.push(step(ret, 0, 0, allow));
    filter
}

fn checked(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
