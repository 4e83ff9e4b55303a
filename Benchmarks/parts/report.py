"""Results as tables, as a page and as a chart."""
import html, json, os, statistics
from . import system

RESULTS = os.path.join(system.HERE, "results.json")
PAGE = os.path.join(system.ROOT, "docs", "performance.md")
CHART = os.path.join(system.ROOT, "docs", "performance.svg")
BEGIN, END = "<!-- results of Benchmarks/bench: begin -->", "<!-- results of Benchmarks/bench: end -->"


def spread(values, digits=1):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def ratios(scenario, ours, theirs, value):
    peers = scenario["peers"]
    if ours not in peers or theirs not in peers:
        return []
    return [value(a) / value(b) for a, b in zip(peers[ours]["rounds"], peers[theirs]["rounds"]) if value(b)]


def together(round):
    return round["user_us"] + round["system_us"]


def scenario_text(scenario):
    rows = scenario["peers"]
    lines = [f"### {scenario['name']}: {scenario['title']}", ""]
    counts = any("allocations" in row for row in rows.values())
    head = ["peer", "user us/request", "system us/request", "together", "requests/s", "MiB idle, after load"]
    lines.append("| " + " | ".join(head + (["allocations/request"] if counts else [])) + " |")
    lines.append("|" + "---|" * (len(head) + counts))
    for name, row in rows.items():
        done = row["rounds"]
        cells = [
            name, spread([r["user_us"] for r in done]), spread([r["system_us"] for r in done]),
            spread([together(r) for r in done]), f"{statistics.median(r['requests_per_second'] for r in done):.0f}",
            f"{row['idle_mib']:.0f}, {done[-1]['memory_mib']:.0f}"]
        if counts:
            cells.append(f"{row['allocations']:.1f}" if "allocations" in row else "")
        lines.append("| " + " | ".join(cells) + " |")
    if any(row["latency"] for row in rows.values()):
        rate = next(row["latency"][0]["rate"] for row in rows.values() if row["latency"])
        lines += ["", f"Latency at {rate} requests/s, from the intended time of each request, microseconds:", "",
                  "| peer | p50 | p99 | p99.9 |", "|---|---|---|---|"]
        for name, row in rows.items():
            lines.append(f"| {name} | " + " | ".join(
                spread([r[key] for r in row["latency"]], 0) for key in ("p50", "p99", "p999")) + " |")
    lines.append("")
    for ours, theirs, target in scenario["ratios"]:
        values = ratios(scenario, ours, theirs, together)
        if values:
            user = ratios(scenario, ours, theirs, lambda r: r["user_us"])
            unit = "byte" if scenario.get("whole") else "request"
            lines.append(f"- CPU per {unit}, {ours} to {theirs}: {spread(values, 2)}"
                         + (f", target {target}" if target else "") + (f"; user part alone {spread(user, 2)}" if user else ""))
    for ours, theirs, _ in scenario["ratios"]:
        both = [rows.get(name, {}).get("latency") for name in (ours, theirs)]
        if all(both):
            values = [a["p999"] / b["p999"] for a, b in zip(*both) if b["p999"]]
            lines.append(f"- p99.9, {ours} to {theirs}: {spread(values, 2)}"
                         + (", target 1.1" if theirs == "nginx" else ""))
    return "\n".join(lines) + "\n"


def page(results):
    versions = "; ".join(f"{name} {text}" if name == "kernel" else text for name, text in results["versions"].items())
    parts = [
        BEGIN, "", f"{results['date']}, `{results['command']}`: {results['rounds']} rounds of {results['seconds']:g} s, "
        f"one worker each, {results['processors']} processors. {versions}.", "",
        "Medians over the rounds, in brackets the least and the most. Sluice has no HTTP/2 yet, so there is no row for it.",
        "", "![CPU per request](performance.svg)", ""]
    return "\n".join(parts) + "\n" + "\n".join(scenario_text(s) for s in results["scenarios"]) + "\n" + END


def write(results):
    """Writes the scenarios that were run and keeps those of earlier runs for the rest."""
    try:
        earlier = json.load(open(RESULTS))
    except (OSError, ValueError):
        earlier = {"scenarios": []}
    fresh = {s["name"]: s for s in results["scenarios"]}
    for old in earlier["scenarios"]:
        if old["name"] not in fresh and old.get("version") == results["versions"]["Sluice"]:
            results["scenarios"].append(old)
    for scenario in results["scenarios"]:
        scenario.setdefault("version", results["versions"]["Sluice"])
    with open(RESULTS, "w") as f:
        json.dump(results, f, indent=1)
        f.write("\n")
    text = open(PAGE).read()
    before, rest = text.split(BEGIN) if BEGIN in text else (text.rstrip() + "\n\n## Results\n\n", END + "\n")
    with open(PAGE, "w") as f:
        f.write(before + page(results) + rest.split(END, 1)[1])
    with open(CHART, "w") as f:
        f.write(chart(results))


def write_scale(results, text):
    """Writes what was measured and keeps the parts of earlier runs for the rest."""
    path = os.path.join(system.HERE, "scale.json")
    try:
        results = {**json.load(open(path)), **results}
    except (OSError, ValueError):
        pass
    with open(path, "w") as f:
        json.dump(results, f, indent=1)
        f.write("\n")
    begin, end = BEGIN.replace("bench:", "scale:"), END.replace("bench:", "scale:")
    page = open(PAGE).read()
    before, rest = page.split(begin) if begin in page else (page.rstrip() + "\n\n## Scale of configuration\n\n", end + "\n")
    with open(PAGE, "w") as f:
        f.write(before + begin + "\n\n" + text(results) + "\n" + end + rest.split(end, 1)[1])


def chart(results):
    """Bars of CPU per request, user and system apart, scaled within each scenario."""
    width, label, bar, gap = 760, 230, 16, 6
    lines, y = [], 34
    for scenario in results["scenarios"]:
        lines.append(f'<text x="10" y="{y + 12}" class="title">{html.escape(scenario["title"])}</text>')
        y += 20
        medians = {
            name: tuple(statistics.median(r[key] for r in row["rounds"]) for key in ("user_us", "system_us"))
            for name, row in scenario["peers"].items()}
        most = max(sum(m) for m in medians.values()) or 1
        for name, (user, system_part) in medians.items():
            scale = (width - label - 100) / most
            lines.append(f'<text x="{label - 8}" y="{y + 12}" text-anchor="end">{html.escape(name)}</text>')
            lines.append(f'<rect x="{label}" y="{y}" width="{user * scale:.1f}" height="{bar}" class="user"/>')
            lines.append(f'<rect x="{label + user * scale:.1f}" y="{y}" width="{system_part * scale:.1f}" '
                         f'height="{bar}" class="system"/>')
            lines.append(f'<text x="{label + (user + system_part) * scale + 6:.1f}" y="{y + 12}">'
                         f'{user + system_part:,.1f} us</text>')
            y += bar + gap
        y += 10
    style = ("text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.user{fill:#2a6f97}.system{fill:#a9d6e5}"
             "@media (prefers-color-scheme:dark){text{fill:#ddd}}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}">'
            f"<style>{style}</style>\n"
            f'<text x="10" y="18">CPU per request: user (dark) and system (light); {results["date"]}</text>\n'
            + "\n".join(lines) + "\n</svg>\n")
