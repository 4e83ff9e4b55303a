import EntityModel
import JQ

/// What a node does.
enum DatakitOperation: Sendable {
  /// Reads the request; which of its outputs are wanted.
  case request([Bool])
  case serviceRequest
  case serviceResponse([Bool])
  case response
  case constants([DatakitValue])
  /// Nodes of either side.
  case branch(then: [Int], otherwise: [Int])
  case cache(DatakitCacheSettings)
  case call(DatakitCall)
  case exit(status: Int)
  case jq(JQProgram)
  case jwtDecode
  case jwtSign(DatakitToken.Signing)
  case jwtVerify(DatakitToken.Verification)
  case property(DatakitProperty, contentType: String?, isRequired: Bool)

  /// - Parameters:
  ///   - places: of the graph's nodes among those of the plan.
  ///   - taken: whether each output is connected.
  init(
    _ node: DatakitNode, graph: DatakitGraph, index: Int, places: [Int: Int], config: JSONValue, taken: [Bool]
  ) throws(DatakitGraphError) {
    func problem(_ path: [String], _ message: String) -> DatakitGraphError {
      DatakitGraphError(problems: [.init(position: node.position ?? 0, path: path, message: message)])
    }
    switch node.type {
    case "request": self = .request(taken)
    case "service_request": self = .serviceRequest
    case "service_response": self = .serviceResponse(taken)
    case "response": self = .response
    case "vault":
      let references = config["resources"]?["vault"]?.object ?? [:]
      self = .constants(
        node.outputs.named.map { port in
          references[port.name]?.string.flatMap(DatakitVault.resolve).map { .json(.string($0)) } ?? .none
        })
    case "static":
      let values = node.config["values"]?.object ?? [:]
      self = .constants(node.outputs.named.map { .json(values[$0.name] ?? .null) })
    case "branch":
      func side(_ side: Bool) -> [Int] {
        graph.gates.filter { $0.value.branch == index && $0.value.side == side }.keys.compactMap { places[$0] }.sorted()
      }
      self = .branch(then: side(true), otherwise: side(false))
    case "cache": self = .cache(DatakitCacheSettings(node.config))
    case "call": self = .call(DatakitCall(node.config))
    case "exit": self = .exit(status: Int(node.config["status"]?.integer ?? 200))
    case "jq":
      do {
        self = .jq(try JQProgram.compiled(node.config["jq"]?.string ?? "."))
      } catch {
        throw problem(["jq"], "invalid jq program: \(error)")
      }
    case "jwt_decode": self = .jwtDecode
    case "jwt_sign":
      guard let signing = DatakitToken.Signing(node.config) else {
        throw problem(["algorithm"], "the algorithm is not known")
      }
      self = .jwtSign(signing)
    case "jwt_verify": self = .jwtVerify(DatakitToken.Verification(node.config))
    case "property":
      do {
        self = .property(
          try DatakitProperty(node.config["property"]?.string ?? "", isSet: graph.feeds[index].whole != nil),
          contentType: node.config["content_type"]?.string, isRequired: node.config.flag("non_nil"))
      } catch {
        throw problem(["property"], error.reason)
      }
    default: throw problem(["type"], "nodes of the type '\(node.type)' are not available yet")
    }
  }
}
