"""What is measured: for each scenario its peers and what is sent to them."""
import os
from . import configurations, peers
from .configurations import identity

HEADER_COPY = """
local Handler = { PRIORITY = 10, VERSION = "1.0" }
function Handler:access(conf)
  local agent = kong.request.get_header("user-agent") or "none"
  kong.service.request.set_header("x-seen-agent", agent)
end
return Handler
"""
BODY_COUNT = """
local Handler = { PRIORITY = 10, VERSION = "1.0" }
function Handler:body_filter(conf)
  local chunk = ngx.arg[1]
  kong.ctx.plugin.size = (kong.ctx.plugin.size or 0) + #chunk
end
return Handler
"""
NGINX_HEADER_COPY = (
    'access_by_lua_block { ngx.req.set_header("x-seen-agent", ngx.req.get_headers()["user-agent"] or "none") }')
NGINX_BODY_COUNT = (
    "body_filter_by_lua_block { local chunk = ngx.arg[1] ngx.ctx.size = (ngx.ctx.size or 0) + #chunk }")


def schema(name):
    return f'return {{ name = "{name}", fields = {{ {{ config = {{ type = "record", fields = {{}} }} }} }} }}'


def configuration(upstream, **more):
    return {"_format_version": "3.0", "services": [{
        "name": "s", "url": f"http://127.0.0.1:{upstream}", "routes": [
            {"name": "r", "paths": ["/"], "protocols": ["http", "https"]}]}], **more}


def streamed(upstream, name, handler):
    return configuration(
        upstream, custom_plugins=[{"name": name, "schema": schema(name), "handler": handler}], plugins=[{"name": name}])


def three_clones(upstream):
    names = ["transform-one", "transform-two", "transform-three"]
    return configuration(
        upstream,
        cloned_plugins=[{"name": n, "ref": "request-transformer", "priority": 900 - i} for i, n in enumerate(names)],
        plugins=[{"name": n, "config": {"add": {"headers": [f"x-{n}:yes"]}, "remove": {"headers": [f"x-not-{n}"]}}}
                 for n in names])


def consumers(upstream, count):
    made = configuration(upstream, plugins=[
        {"name": "key-auth", "config": {}}, {"name": "acl", "config": {"allow": ["members"]}}])
    made["consumers"], made["keyauth_credentials"], made["acls"] = [], [], []
    for number in range(count):
        consumer = identity(f"consumer {number}")
        made["consumers"].append({"id": consumer, "username": f"consumer-{number}"})
        made["keyauth_credentials"].append({"consumer": {"id": consumer}, "key": f"key-{number}"})
        made["acls"].append({"consumer": {"id": consumer}, "group": "members"})
    return made


def skipped(upstream):
    return configuration(upstream, plugins=[
        {"name": "request-transformer", "condition": 'http.method == "PATCH"',
         "config": {"add": {"headers": ["x-never:yes"]}}}])


def route_targets(folder, count):
    """A file of requests to as many hosts as prefixes and regexes, spread over the routes."""
    path = os.path.join(folder, f"targets-{count}")
    with open(path, "w") as f:
        for place in range(66):
            number = min(count - 1, place * count // 66)
            number -= (number - place) % 3 if number >= 2 else 0
            number = max(0, number)
            f.write((f"host-{number}.example.com /any", f"localhost /prefix-{number}/part/x",
                     f"localhost /regex-{number}/{place}")[number % 3] + "\n")
    return path


class Scenario:
    """`start(bench)` starts the peers; `load` are arguments of the load generator, `loads` those of single peers.

    `whole` is a number of requests that takes the place of the seconds, where one takes so long that those cut off at the
    end would count.
    """

    def __init__(self, name, title, start, load=(), ratios=(), rate=False, connections=32, whole=None, tls=False,
                 allocations=False, loads=None, resident=False):
        self.name, self.title, self.start, self.load, self.ratios = name, title, start, list(load), list(ratios)
        self.rate, self.connections, self.whole, self.tls = rate, connections, whole, tls
        self.allocations, self.loads, self.resident = allocations, loads or {}, resident


def five(bench, tls=False):
    certificate = bench.certificate if tls else None
    yield lambda: bench.nginx(certificate=certificate)
    yield lambda: bench.sluice("Sluice", configuration(bench.upstream.port), certificate=certificate)
    if bench.wants("haproxy"):
        yield lambda: peers.haproxy(bench.folder(), bench.upstream.port, bench.peer_cpus, certificate)
    if bench.wants("envoy") and bench.envoy:
        yield lambda: peers.envoy(bench.folder(), bench.envoy, bench.upstream.port, bench.peer_cpus, certificate)


def pair(ours, inside, lua=True, outside=""):
    def start(bench):
        yield lambda: bench.nginx(name="nginx with Lua" if lua else "nginx", inside=inside, outside=outside, lua=lua)
        yield lambda: bench.sluice("Sluice", ours(bench.upstream.port))
    return start


def beside_plain(label, ours):
    def start(bench):
        yield lambda: bench.sluice("Sluice", configuration(bench.upstream.port))
        yield lambda: bench.sluice(label, ours(bench.upstream.port))
    return start


NO_QUOTAS = {
    f"SLUICE_LUA_QUOTA_{name}": "0"
    for name in ("CPU_TIME", "LOAD_TIME", "PLUGIN_MEMORY", "REQUEST_MEMORY", "COROUTINES", "STRING_SIZE", "PATTERN_STEPS")}


def with_quotas(bench):
    """A streamed plugin with the limits of Lua plugins, without them, and trusted, beside the route without it."""
    ours = lambda: streamed(bench.upstream.port, "header-copy", HEADER_COPY)
    yield lambda: bench.sluice("Sluice", configuration(bench.upstream.port))
    yield lambda: bench.sluice("Sluice with a streamed plugin", ours())
    yield lambda: bench.sluice("Sluice with a streamed plugin without limits", ours(), settings=NO_QUOTAS)
    yield lambda: bench.sluice(
        "Sluice with a trusted plugin", ours(), settings={"SLUICE_LUA_QUOTA_OVERRIDES": "header-copy trusted"})


def with_routes(bench):
    for count in (10, 1_000, 100_000):
        yield lambda count=count: bench.sluice(f"Sluice with {count:,} routes", configurations.with_routes(bench.upstream.port, count))


def both(bench):
    yield lambda: bench.nginx()
    yield lambda: bench.sluice("Sluice", configuration(bench.upstream.port))


USER_AGENT = ["--header", "User-Agent: bench"]
OTHERS = [("Sluice", "nginx", None), ("Sluice", "HAProxy", None), ("Sluice", "Envoy", None)]


def all_scenarios(folder):
    def idle(count):
        return Scenario(
            f"idle-{count}", f"small body beside {count:,} idle keep-alive connections", both,
            ["--idle", str(count)], [("Sluice", "nginx", None)], resident=True)
    return [
        Scenario("plain", "plain proxy, small body", five, USER_AGENT,
                 [("Sluice", "nginx", 1.0), ("Sluice", "Envoy", 0.4), ("Sluice", "HAProxy", None)], rate=True,
                 allocations=True, resident=True),
        Scenario("body-100k", "response of 100 kB", five, ["--path", "/100k"], OTHERS),
        Scenario("body-10m", "response of 10 MB", five, ["--path", "/10m"],
                 [("Sluice", "nginx", 1.0), ("Sluice", "HAProxy", None), ("Sluice", "Envoy", None)], connections=4,
                 whole=80),
        Scenario("post-10k", "POST of 10 kB", five, ["--method", "POST", "--body", "10000"], OTHERS),
        Scenario("tls", "TLS, keep-alive", lambda b: five(b, True), ["--tls"], OTHERS, tls=True),
        Scenario("tls-new", "TLS, a new connection for each request", lambda b: five(b, True), ["--tls", "--close"], OTHERS,
                 tls=True, connections=16),
        Scenario("lua", "streamed plugin: read a header, set a header",
                 pair(lambda u: streamed(u, "header-copy", HEADER_COPY), NGINX_HEADER_COPY), USER_AGENT,
                 [("Sluice", "nginx with Lua", 0.85)], rate=True, allocations=True),
        Scenario("lua-quotas", "streamed plugin with and without the limits of Lua plugins", with_quotas, USER_AGENT,
                 [("Sluice with a streamed plugin", "Sluice", None),
                  ("Sluice with a streamed plugin", "Sluice with a streamed plugin without limits", None),
                  ("Sluice with a trusted plugin", "Sluice with a streamed plugin", None)]),
        Scenario("lua-body", "streamed plugin with body_filter, 100 kB",
                 pair(lambda u: streamed(u, "body-count", BODY_COUNT), NGINX_BODY_COUNT), ["--path", "/100k"],
                 [("Sluice", "nginx with Lua", None)]),
        Scenario("clones", "three clones of request-transformer",
                 beside_plain("Sluice with three clones", three_clones), USER_AGENT,
                 [("Sluice with three clones", "Sluice", 1.10)], allocations=True),
        Scenario("consumers", "key-auth and acl, 100,000 consumers",
                 beside_plain("Sluice with key-auth and acl", lambda u: consumers(u, 100_000)),
                 ["--header", "apikey: key-77777"], [("Sluice with key-auth and acl", "Sluice", 1.15)], resident=True),
        Scenario("condition", "a plugin that its condition skips",
                 beside_plain("Sluice with a skipped plugin", skipped), USER_AGENT,
                 [("Sluice with a skipped plugin", "Sluice", None)]),
        Scenario("routes", "10, 1,000 and 100,000 routes (host, prefix and regex mixed)", with_routes, (),
                 [("Sluice with 1,000 routes", "Sluice with 10 routes", None),
                  ("Sluice with 100,000 routes", "Sluice with 10 routes", 1.25)], resident=True,
                 loads={f"Sluice with {n:,} routes": ["--targets", route_targets(folder, n)] for n in (10, 1_000, 100_000)}),
        idle(1), idle(100), idle(10_000),
    ]
