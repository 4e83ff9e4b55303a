import EntityModel
import PluginKit
import Routing

extension SnapshotCompilation {
  // MARK: Upstreams and services

  /// Balancers whose upstream and targets did not change stay, with their state.
  mutating func compileBalancers() {
    if isUnchanged("upstreams"), isUnchanged("targets") { return }
    let oldTargets = Self.targetsByUpstream(running?.parts.config ?? .empty)
    let newTargets = Self.targetsByUpstream(config)
    let known = parts.balancers
    var balancers: [String: Balancer] = [:]
    let old = running?.parts.config["upstreams"] ?? EntityList()
    let new = config["upstreams"]
    ConfigSnapshot.walk(old, new) { _, place, isSame in
      guard let place, let id = new[place]["id"]?.string, let name = new[place]["name"]?.string else { return }
      let targets = newTargets[id] ?? []
      if isSame, (oldTargets[id] ?? []) == targets, let balancer = known[name] {
        balancers[name] = balancer
      } else {
        balancers[name] = makeBalancer(name, new[place], targets)
      }
    }
    parts.balancers = balancers
  }

  private static func targetsByUpstream(_ config: ConfigSnapshot) -> [String: [EntityFields]] {
    Dictionary(grouping: config["targets"].filter { $0["upstream"]?["id"]?.string != nil }) {
      $0["upstream"]?["id"]?.string ?? ""
    }
  }

  private func makeBalancer(_ name: String, _ upstream: EntityFields, _ targets: [EntityFields]) -> Balancer {
    let algorithm = upstream["algorithm"]?.string ?? "round-robin"
    if algorithm != "round-robin" {
      compiler.logger.warning(
        "upstream '\(name)': algorithm '\(algorithm)' is not available yet, round-robin is used instead")
    }
    if Self.checksHealth(upstream["healthchecks"] ?? .null) {
      compiler.logger.warning(
        "upstream '\(name)': health checks are not available yet, its targets count as healthy")
    }
    return Balancer(
      name: name, hostHeader: upstream["host_header"]?.string,
      targets: targets.compactMap { target in
        guard let address = target["target"]?.string, target["failover"]?.bool != true,
          let (host, port) = TargetAddress.split(address)
        else { return nil }
        return (host, port, Int(target["weight"]?.integer ?? 100))
      })
  }

  /// Whether a counter or interval of the health checks is on; 0 is off.
  private static func checksHealth(_ value: JSONValue) -> Bool {
    ["active", "passive"].contains { kind in
      ["healthy", "unhealthy"].contains { state in
        (value[kind]?[state]?.object ?? [:]).values.contains { ($0.double ?? 0) > 0 }
      }
    }
  }

  mutating func compileServices() {
    let hasSameCertificates = isUnchanged("certificates") && isUnchanged("ca_certificates")
    if isUnchanged("services"), isUnchanged("upstreams"), isUnchanged("targets"), hasSameCertificates {
      areServicesUnchanged = true
      return
    }
    func byID(_ kind: String) -> [String: EntityFields] {
      Dictionary(
        config[kind].compactMap { entity in entity["id"]?.string.map { ($0, entity) } },
        uniquingKeysWith: { first, _ in first })
    }
    var factory = UpstreamTLSFactory(
      certificates: byID("certificates"), authorities: byID("ca_certificates"), defaultRoots: compiler.trustRoots)
    let known = parts.services
    var services: [String: ServiceRuntime] = [:]
    let old = running?.parts.config["services"] ?? EntityList()
    let new = config["services"]
    ConfigSnapshot.walk(old, new) { _, place, isSame in
      guard let place, new[place]["enabled"]?.bool != false, let id = new[place]["id"]?.string else { return }
      let entity = new[place]
      let balancer = parts.balancers[entity["host"]?.string ?? ""]
      if isSame, let service = known[id], service.balancer === balancer, service.tls == nil || hasSameCertificates {
        services[id] = service
        return
      }
      do {
        services[id] = ServiceRuntime(
          entity: .object(entity), balancer: balancer, tls: try factory.make(for: entity))
      } catch {
        problems.append(.init(entity: "services \(id)", reason: "TLS settings cannot be used: \(error)"))
      }
    }
    parts.services = services
    parts.chainsByService = parts.chainsByService.filter { $0.key.isEmpty || services[$0.key] != nil }
  }

  // MARK: Routes

  /// - Returns: the rules of a new route table; nil when the running one fits.
  mutating func compileRoutes() -> [RouteRule]? {
    let old = running?.parts.config["routes"] ?? EntityList()
    let new = config["routes"]
    let known = running?.parts.routes ?? SharedArray()
    if isUnchanged("routes"), areServicesUnchanged, !isUnscopedChanged, changedServices.isEmpty {
      replaceChains()
      return nil
    }
    var routes: [RouteRuntime?] = []
    routes.reserveCapacity(new.count)
    var isSameTable = running != nil
    ConfigSnapshot.walk(old, new) { oldPlace, newPlace, isSame in
      let before = oldPlace.flatMap { known[$0] }
      guard let newPlace else {
        if before != nil { isSameTable = false }
        return
      }
      let entity = new[newPlace]
      // Routes of a disabled service do not exist for requests.
      let serviceID = isSame ? before?.service?.info.id : nil
      let service: ServiceRuntime?
      if let id = serviceID ?? entity["service"]?["id"]?.string {
        service = parts.services[id]
        guard service != nil else {
          if before != nil { isSameTable = false }
          routes.append(nil)
          return
        }
      } else {
        service = nil
      }
      if isSame, let before, before.service === service, hasSameChain(before) {
        routes.append(before)
        return
      }
      if !isSame || before == nil { isSameTable = false }
      let id = entity["id"]?.string ?? ""
      routes.append(
        RouteRuntime(
          entity: .object(entity), service: service, chain: chain(forRoute: id, service: service?.info.id)))
    }
    parts.routes = SharedArray(routes)
    if isSameTable { return nil }
    var rules: [RouteRule] = []
    rules.reserveCapacity(new.count)
    for (place, entity) in new.enumerated() where routes[place] != nil {
      rules.append(RouteRule(entity: entity, index: place))
    }
    return rules
  }

  /// Where only instances of single routes changed, only these routes are made again.
  private mutating func replaceChains() {
    let routes = config["routes"]
    for id in changedRoutes {
      // A list that is not in the order of ids is searched from the start.
      var place = routes.firstPlace(ofID: id)
      if place >= routes.count || routes[place]["id"]?.string != id {
        place = routes.firstIndex { $0["id"]?.string == id } ?? routes.count
      }
      guard place < routes.count, let before = parts.routes[place] else { continue }
      parts.routes[place] = RouteRuntime(
        entity: .object(routes[place]), service: before.service,
        chain: chain(forRoute: id, service: before.service?.info.id))
    }
  }

  private func hasSameChain(_ route: RouteRuntime) -> Bool {
    if isUnscopedChanged { return false }
    if !changedServices.isEmpty, let service = route.service?.info.id, changedServices.contains(service) {
      return false
    }
    return changedRoutes.isEmpty || !changedRoutes.contains(route.info.id)
  }
}
