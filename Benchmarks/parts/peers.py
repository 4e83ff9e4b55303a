"""The proxies under measurement, one worker each, and the upstream they share."""
import json, os, time
from . import system
from .system import fail, free_port, spawn, wait_for


class Peer:
    """A running proxy. `pid` is the process whose accounts count."""

    def __init__(self, name, folder, port, process, pid=None, tls_port=None, allocations=None):
        self.name, self.folder, self.port, self.tls_port = name, folder, port, tls_port
        self.process, self.pid, self.allocations = process, pid or process.pid, allocations
        self.idle = None

    def stop(self):
        system.stop(self.process)

    def allocation_count(self):
        with open(self.allocations, "rb") as f:
            return int.from_bytes(f.read(8), "little")


def folder_for(base, name):
    folder = os.path.join(base, name.replace(" ", "-").replace(",", ""))
    os.makedirs(folder)
    return folder


def counting(environment, folder, wanted):
    if not wanted:
        return None
    library = system.compiled("allocations.so", "allocations.c", "-shared", "-fPIC")
    path = os.path.join(folder, "allocations")
    environment.update({"LD_PRELOAD": library, "ALLOCATION_COUNT": path})
    return path


def lua_modules():
    found, modules = "/usr/share/nginx/modules-available", ""
    for part in ("ndk", "lua"):
        for conf in sorted(os.listdir(found)):
            if part in conf and "stream" not in conf:
                modules += open(os.path.join(found, conf)).read().replace("modules/", "/usr/lib/nginx/modules/")
    return modules


def nginx(base, name, http, cpus, lua=False, tls=False, count=False):
    folder, port, tls_port = folder_for(base, name), free_port(), free_port() if tls else None
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w") as f:
        f.write(f"""{lua_modules() if lua else ""}
{"user root;" if os.geteuid() == 0 else ""} worker_processes 1; worker_rlimit_nofile 20000; daemon off; pid {folder}/pid; error_log {folder}/error.log;
{"env LD_PRELOAD; env ALLOCATION_COUNT;" if count else ""}
events {{ worker_connections 16384; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
{http.replace("TLSPORT", str(tls_port)).replace("PORT", str(port))} }}
""")
    environment = dict(os.environ)
    allocations = counting(environment, folder, count)
    process = spawn(["/usr/sbin/nginx", "-c", conf, "-p", folder, "-e", folder + "/error.log"], cpus, env=environment)
    try:
        wait_for(port, process)
    except SystemExit:
        process.kill()
        raise
    # The master listens before it has its worker.
    while not (workers := system.children(process.pid)):
        time.sleep(0.01)
    return Peer(name, folder, port, process, workers[0], tls_port, allocations)


def nginx_proxy(base, upstream, cpus, name="nginx", inside="", outside="", certificate=None, **arguments):
    tls = ""
    if certificate:
        tls = f"""server {{ listen 127.0.0.1:TLSPORT ssl; ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};
  ssl_session_cache off; ssl_session_tickets off; ssl_protocols TLSv1.2 TLSv1.3; location / {{ proxy_pass http://up;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr;
  proxy_max_temp_file_size 0; }} }}"""
    http = f"""upstream up {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000; keepalive_timeout 600s; }}
{outside}
server {{ listen 127.0.0.1:PORT; location / {{ {inside} proxy_pass http://up; proxy_http_version 1.1;
  proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr; proxy_max_temp_file_size 0; }} }}
{tls}"""
    return nginx(base, name, http, cpus, tls=bool(certificate), **arguments)


def upstream(base, cpus):
    """The fixed upstream: small answers from memory, larger ones from files."""
    files = os.path.join(base, "files")
    os.makedirs(files)
    for name, size in (("100k", 100_000), ("10m", 10_000_000)):
        with open(os.path.join(files, name), "wb") as f:
            f.write(b"x" * size)
    return nginx(base, "upstream", f"""client_body_buffer_size 64k; sendfile on; tcp_nopush on; server {{
  listen 127.0.0.1:PORT; root {files}; default_type text/plain;
  location / {{ return 200 "hello\\n"; }} location = /100k {{ }} location = /10m {{ }} }}""", cpus)


def sluice(base, name, program, configuration, cpus, certificate=None, count=False, settings=()):
    folder = folder_for(base, name)
    path = os.path.join(folder, "kong.json")
    with open(path, "w") as f:
        json.dump(configuration, f)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("KONG_", "SLUICE_"))}
    environment.update({
        "SLUICE_PREFIX": folder, "SLUICE_DATABASE": "off", "SLUICE_DECLARATIVE_CONFIG": path,
        "SLUICE_PROXY_LISTEN": "127.0.0.1:0" + (", 127.0.0.1:0 ssl" if certificate else ""),
        "SLUICE_ADMIN_LISTEN": "off", "SLUICE_STATUS_LISTEN": "off", "SLUICE_PROXY_ACCESS_LOG": "off",
        "SLUICE_PROXY_ERROR_LOG": os.path.join(folder, "error.log"), "SLUICE_NGINX_WORKER_PROCESSES": "1", "SLUICE_LOG_LEVEL": "info",
        "SLUICE_CUSTOM_PLUGIN_STREAMING_ENABLED": "on"})
    if certificate:
        environment.update({"SLUICE_SSL_CERT": certificate[0], "SLUICE_SSL_CERT_KEY": certificate[1]})
    environment.update(settings)
    allocations = counting(environment, folder, count)
    process = spawn([program, "start"], cpus, env=environment)
    listeners = os.path.join(folder, "listeners.json")
    expected = ["proxy", "proxy_ssl"] if certificate else ["proxy"]
    end = time.monotonic() + 120
    bound = {}
    while not all(kind in bound for kind in expected):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            fail(f"{name} did not start; its log:\n" + open(os.path.join(folder, "error.log")).read()[-2000:])
        time.sleep(0.02)
        try:
            bound = json.load(open(listeners))
        except (OSError, ValueError):
            pass
    peer = Peer(
        name, folder, bound["proxy"][0]["port"], process, tls_port=bound["proxy_ssl"][0]["port"] if certificate else None,
        allocations=allocations)
    # The configuration is in effect some time after the ports are bound.
    while "configuration" not in (log := open(os.path.join(folder, "error.log")).read()) or " runs," not in log:
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            fail(f"{name} did not take its configuration; its log:\n{log[-2000:]}")
        time.sleep(0.05)
    return peer


def haproxy(base, upstream_port, cpus, certificate=None):
    folder, port, tls_port = folder_for(base, "HAProxy"), free_port(), free_port() if certificate else None
    conf = os.path.join(folder, "haproxy.cfg")
    tls = f"  bind 127.0.0.1:{tls_port} ssl crt {certificate[2]} no-tls-tickets\n" if certificate else ""
    cache = "  tune.ssl.cachesize 0\n" if certificate else ""
    with open(conf, "w") as f:
        f.write(f"""global
  nbthread 1
  maxconn 9000
{cache}defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  option forwardfor
  http-reuse always
frontend in
  bind 127.0.0.1:{port}
{tls}  default_backend up
backend up
  server s 127.0.0.1:{upstream_port} pool-max-conn 128
""")
    process = spawn(["/usr/sbin/haproxy", "-db", "-q", "-f", conf], cpus)
    wait_for(port, process)
    return Peer("HAProxy", folder, port, process, tls_port=tls_port)


def envoy(base, program, upstream_port, cpus, certificate=None):
    folder, port, tls_port = folder_for(base, "Envoy"), free_port(), free_port() if certificate else None

    def listener(number, transport=None):
        chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in", "codec_type": "HTTP1", "use_remote_address": True, "generate_request_id": False,
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                {"match": {"prefix": "/"}, "route": {"cluster": "up", "timeout": "0s"}}]}]},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                "suppress_envoy_headers": True}}]}}]}
        if transport:
            chain["transport_socket"] = transport
        return {"name": str(number), "address": {"socket_address": {"address": "127.0.0.1", "port_value": number}},
                "filter_chains": [chain]}
    listeners = [listener(port)]
    if certificate:
        listeners.append(listener(tls_port, {"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "disable_stateless_session_resumption": True,
            "common_tls_context": {"tls_certificates": [{
                "certificate_chain": {"filename": certificate[0]}, "private_key": {"filename": certificate[1]}}]}}}))
    conf = os.path.join(folder, "envoy.json")
    with open(conf, "w") as f:
        json.dump({"static_resources": {"listeners": listeners, "clusters": [{
            "name": "up", "type": "STATIC", "connect_timeout": "5s",
            "circuit_breakers": {"thresholds": [{"max_connections": 20000, "max_pending_requests": 20000, "max_requests": 20000}]},
            "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                "socket_address": {"address": "127.0.0.1", "port_value": upstream_port}}}}]}]}}]}}, f)
    log = open(os.path.join(folder, "log"), "w")
    process = spawn([program, "-c", conf, "--concurrency", "1", "-l", "error", "--disable-hot-restart"], cpus,
                    stdout=log, stderr=log)
    wait_for(port, process)
    return Peer("Envoy", folder, port, process, tls_port=tls_port)
