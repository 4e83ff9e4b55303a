import EntityModel
import Routing

extension RouteRule {
  /// The rule of a stored route.
  init(entity: EntityFields, index: Int) {
    func texts(_ field: String) -> [String] { entity[field]?.array?.compactMap(\.string) ?? [] }
    self.init(
      index: index, id: entity["id"]?.string ?? "", hosts: texts("hosts"), paths: texts("paths"),
      methods: texts("methods"),
      headers: (entity["headers"]?.object ?? [:]).mapValues { $0.array?.compactMap(\.string) ?? [] },
      snis: texts("snis"), regexPriority: Int(entity["regex_priority"]?.integer ?? 0), protocols: texts("protocols"))
  }
}
