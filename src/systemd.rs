//! Word to systemd of how the daemon is doing (`sd_notify(3)`), where systemd asked for it.
//!
//! Without `NOTIFY_SOCKET` in the environment, as in a terminal or a container, nothing happens. What cannot be
//! sent is not worth a line: systemd itself says that it waits in vain.

use std::time::Duration;

use sd_notify::NotifyState;

/// Everything works: units that come after this one may start. Also ends [`reloading`].
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The config is being read anew; [`ready`] has to follow, whatever came of it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// Told to stop, and finishing what is under way.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// What `systemctl status` shows; it is cut to one line.
pub fn status(text: &str) {
    // The next line would be the next word to systemd.
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    tell(&[NotifyState::Status(&line)]);
}

/// How often to call [`watchdog`]: half of the time after which systemd takes the daemon for stuck. `None` where
/// nobody waits for it.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2).filter(|interval| !interval.is_zero())
}

/// Still at work.
pub fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(words: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(words);
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    use super::*;

    const CHILD: &str = "FEEDMILL_TEST_SYSTEMD";

    /// Says everything once, in a process of its own: the environment belongs to a whole process.
    fn say_all() {
        status("3 feeds\nREADY=1");
        ready();
        reloading();
        status(&format!("every {:?}", watchdog_interval()));
        watchdog();
        stopping();
    }

    #[test]
    fn systemd_hears_every_word() {
        if std::env::var_os(CHILD).is_some() {
            return say_all();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let child = |with: &[(&str, &str)]| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "systemd::tests::systemd_hears_every_word"]).env(CHILD, "1");
            command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
            assert!(command.envs(with.iter().copied()).output().unwrap().status.success());
        };
        // Whoever was not started by systemd works all the same.
        child(&[]);
        child(&[("NOTIFY_SOCKET", "/nowhere/at/all")]);
        child(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "600000000")]);

        let mut heard = [0; 200];
        let mut next = || {
            socket.set_nonblocking(true).unwrap();
            let length = socket.recv(&mut heard).unwrap_or_default();
            String::from_utf8_lossy(&heard[..length]).into_owned()
        };
        assert_eq!(next(), "STATUS=3 feeds READY=1\n");
        assert_eq!(next(), "READY=1\n");
        let reloading = next();
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        assert_eq!(next(), "STATUS=every Some(300s)\n");
        assert_eq!(next(), "WATCHDOG=1\n");
        assert_eq!(next(), "STOPPING=1\n");
        assert_eq!(next(), "");
    }
}
