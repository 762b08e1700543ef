//! A machine of its own for the real program: its disk can fail and lose what was not synced, and it can be rebooted.
//!
//! The disk is a library in front of the program (tests/faults/disk.c), the boot id a file mounted over that of the
//! kernel in a mount namespace: the program itself is as it is. Its process is that of the [`Process`], so that a kill
//! meets it and nothing in between.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::{NamedTempFile, TempDir};

use crate::fixture::Process;
use crate::program::{self, PROGRAM};
use crate::wall_clock::{self, WallClock};

/// A machine that can be switched off.
pub(crate) struct Machine {
    home: TempDir,
    /// None: that of the real machine.
    boot: Option<u128>,
    /// The size of the disk, which is then a real file system of its own, in memory; it is gone with the program.
    disk_kib: Option<u32>,
    /// None: that of the real machine.
    clock: Option<WallClock>,
}

impl Machine {
    /// With an empty disk.
    pub(crate) fn new() -> Self {
        let home = TempDir::new().unwrap();
        for folder in ["disk", "durable"] {
            std::fs::create_dir(home.path().join(folder)).unwrap();
        }
        Self {
            home,
            boot: None,
            disk_kib: None,
            clock: None,
        }
    }

    /// With a wall clock of its own, which shows the right time at first.
    pub(crate) fn with_a_clock() -> Self {
        let machine = Self::new();
        let clock = WallClock::kept_in(machine.home.path().join("clock"));
        Self {
            clock: Some(clock),
            ..machine
        }
    }

    /// Sets the wall clock to so many seconds after (or before) the right time. The ticks go on.
    pub(crate) fn set_clock(&self, off_s: i64) {
        self.clock.as_ref().unwrap().set(off_s);
    }

    /// With a small disk that can be filled.
    pub(crate) fn with_a_disk_of(kib: u32) -> Self {
        Self {
            disk_kib: Some(kib),
            ..Self::new()
        }
    }

    /// Fills the disk of a running program to the last byte.
    pub(crate) fn fill(&self, process: &Process) {
        let mut filler = std::fs::File::create(self.filler(process)).unwrap();
        let full = loop {
            if let Err(full) = filler.write_all(&[1; 4096]) {
                break full;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }

    /// Makes room again.
    pub(crate) fn make_room(&self, process: &Process) {
        std::fs::remove_file(self.filler(process)).unwrap();
    }

    fn filler(&self, process: &Process) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", process.id()));
        root.join(self.disk().strip_prefix("/").unwrap())
            .join("filler")
    }

    /// The folder that the program sees.
    pub(crate) fn disk(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    /// Starts the program on what is on the disk.
    pub(crate) fn start(&self, config: &str) -> Process {
        self.start_program(self.program(), config)
    }

    /// The same in a time zone, as in `Europe/Paris`.
    pub(crate) fn start_in(&self, zone: &str, config: &str) -> Process {
        let mut program = self.program();
        program.env("TZ", zone);
        self.start_program(program, config)
    }

    fn start_program(&self, mut program: Command, config: &str) -> Process {
        let mut libraries = disk_library().as_os_str().to_owned();
        if let Some(clock) = &self.clock {
            libraries.push(":");
            libraries.push(wall_clock::library());
            clock.show(&mut program);
        }
        program
            .env("LD_PRELOAD", libraries)
            .env("DISK_DURABLE", self.home.path().join("durable"))
            .env("DISK_FAULT", self.fault_file())
            .args(["serve", "--listen", "127.0.0.1:0"]);
        let process = Process::listening(program::start_as(program, &self.disk(), config));
        let running = std::fs::read_link(format!("/proc/{}/exe", process.id())).unwrap();
        assert_eq!(running, Path::new(PROGRAM), "a kill would not meet it");
        process
    }

    /// From now on the disk fails: `enospc`, `eio`, `eio written` or `hang`, see tests/faults/disk.c.
    pub(crate) fn fail(&self, fault: &str) {
        // It is there when something has hung before.
        let _ = std::fs::remove_file(self.fault_file().with_extension("hangs"));
        let file = NamedTempFile::new_in(self.home.path()).unwrap();
        std::fs::write(file.path(), fault).unwrap();
        file.persist(self.fault_file()).unwrap();
    }

    /// True once something waits for a sync since the disk was told to `hang`.
    pub(crate) fn hangs(&self) -> bool {
        self.fault_file().with_extension("hangs").exists()
    }

    pub(crate) fn heal(&self) {
        std::fs::remove_file(self.fault_file()).unwrap();
    }

    fn fault_file(&self) -> PathBuf {
        self.home.path().join("fault")
    }

    /// A machine in the same boot whose disk holds what is durable on this one, and nothing else.
    pub(crate) fn with_what_is_durable(&self) -> Self {
        let mut other = Self::new();
        other.boot = self.boot;
        let clock = self.clock.as_ref();
        other.clock = clock.map(|clock| clock.copied_to(other.home.path().join("clock")));
        for name in ["acequia.db", "acequia.db-wal", "acequia.db.lock"] {
            let durable = self.home.path().join("durable").join(name);
            if durable.exists() {
                std::fs::copy(&durable, other.home.path().join("durable").join(name)).unwrap();
                std::fs::copy(&durable, other.disk().join(name)).unwrap();
            }
        }
        other
    }

    /// The same after a power cut: what is durable is there and the kernel has a new boot id.
    pub(crate) fn after_a_power_cut(&self) -> Self {
        let mut rebooted = self.with_what_is_durable();
        rebooted.boot = Some(self.boot.unwrap_or(0) + 1);
        rebooted
    }

    /// The program, in a mount namespace when it is to see another boot id or a disk of its own. Whatever is in front of it
    /// is replaced by it (`exec`), and does not fork.
    fn program(&self) -> Command {
        const BOOT: &str = "mount --bind \"$BOOT_ID\" /proc/sys/kernel/random/boot_id";
        const DISK: &str = "cp \"$DISK/acequia.toml\" \"$DISK.toml\" && \
             mount -t tmpfs -o \"size=${KIB}k\" tmpfs \"$DISK\" && \
             cp \"$DISK.toml\" \"$DISK/acequia.toml\"";
        let mut steps = Vec::new();
        let mut program = program::command("unshare");
        program.arg("--mount");
        if !rustix::process::geteuid().is_root() {
            program.arg("--map-root-user");
        }
        if let Some(boot) = self.boot {
            let id = format!("{boot:032x}");
            let parts = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]];
            let file = self.home.path().join("boot_id");
            std::fs::write(&file, parts.join("-") + "\n").unwrap();
            program.env("BOOT_ID", file);
            steps.push(BOOT);
        }
        if let Some(kib) = self.disk_kib {
            program.env("DISK", self.disk()).env("KIB", kib.to_string());
            steps.push(DISK);
        }
        if steps.is_empty() {
            return program::command(PROGRAM);
        }
        let script = format!(
            "{{ {}; }} || {{ echo 'this test needs to mount in a namespace of its own' >&2; exit 1; }}; exec \"$@\"",
            steps.join(" && ")
        );
        program.args(["sh", "-c", &script, "sh", PROGRAM]);
        program
    }
}

fn disk_library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| compiled("disk", include_str!("../faults/disk.c")))
}

/// Compiles a library of tests/faults once for each version of its source.
pub(crate) fn compiled(name: &str, source: &str) -> PathBuf {
    let mut version = DefaultHasher::new();
    source.hash(&mut version);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join(format!("{name}-{:016x}.so", version.finish()));
    if !library.exists() {
        // Tests that run at the same time may each make one: the last is as good as the first.
        let made = NamedTempFile::new_in(folder).unwrap().into_temp_path();
        let file = format!("{}/tests/faults/{name}.c", env!("CARGO_MANIFEST_DIR"));
        let compiled = Command::new("cc")
            .args([
                "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
            ])
            .arg(&made)
            .arg(file)
            .args(["-ldl", "-pthread"])
            .status()
            .expect("cc, the C compiler");
        assert!(compiled.success(), "tests/faults/{name}.c does not compile");
        made.persist(&library).unwrap();
    }
    library
}
