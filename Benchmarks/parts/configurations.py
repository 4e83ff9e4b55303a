"""Large configurations, with every id given, so that two makings are equal."""
import uuid

NAMESPACE = uuid.UUID("6f1b7c7e-0f4c-4a53-9c6e-2d0f6a1b9d10")


def identity(text):
    return str(uuid.uuid5(NAMESPACE, text))


def matching(number):
    """A third of the routes by host, a third by prefix, a third by regex."""
    return ({"hosts": [f"host-{number}.example.com"]}, {"paths": [f"/prefix-{number}/part"]},
            {"paths": [f"~/regex-{number}/\\d+$"]})[number % 3]


def with_routes(upstream, count, plugins=False, url=None):
    """`count` routes of one service; with `plugins` each has one of its own."""
    service = identity("service")
    made = {"_format_version": "3.0", "services": [
        {"id": service, "name": "s", "url": url or f"http://127.0.0.1:{upstream}"}]}
    made["routes"] = [
        {"id": identity(f"route {n}"), "name": f"route-{n}", "protocols": ["http"], "service": {"id": service},
         **matching(n)} for n in range(count)]
    if plugins:
        made["plugins"] = [
            {"id": identity(f"plugin {n}"), "name": "request-transformer", "route": {"id": identity(f"route {n}")},
             "config": {"add": {"headers": [f"x-route:{n}"]}}} for n in range(count)]
    return made
