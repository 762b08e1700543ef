//! Where things run: the servers on the first core, the load program on the last, so that what one does is not taken for
//! the other's. On a machine with one core both are where they are.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The cores of the servers and of the load program.
#[derive(Clone, Copy)]
pub(crate) struct Cores(Option<(usize, usize)>);

impl Cores {
    /// Goes to the last core, with everything that this thread does from now on.
    pub(crate) fn take() -> Self {
        let all = sched_getaffinity(None).unwrap();
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let Some((first, last)) = cores.next().zip(cores.next_back()) else {
            println!(
                "This machine has one core: the servers and the load share it, and no figure is the server's alone."
            );
            return Self(None);
        };
        go_to(last);
        Self(Some((first, last)))
    }

    /// Does something that starts a server: its threads inherit the core of who started it.
    pub(crate) fn starting<T>(self, start: impl FnOnce() -> T) -> T {
        let Some((first, last)) = self.0 else {
            return start();
        };
        go_to(first);
        let started = start();
        go_to(last);
        started
    }
}

fn go_to(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).unwrap();
}

/// Lets this program, and the servers that it starts, open as many files as may be.
pub(crate) fn open_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, most).unwrap();
}

/// Processor time of this thread so far, in seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock of its own thread"
)]
pub(crate) fn own_cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
