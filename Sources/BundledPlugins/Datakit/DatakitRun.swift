import EntityModel
import NIOCore
import PluginKit

/// The walk of one request through a plan.
///
/// Confined to the event loop of the request. A node begins as soon as those it depends on are over; calls and programs
/// are under way side by side.
final class DatakitRun {
  enum State {
    case waiting, running, complete, skipped, failed, canceled

    var name: String {
      switch self {
      case .waiting: "NODE_PENDING"
      case .running: "NODE_RUNNING"
      case .complete: "NODE_COMPLETE"
      case .skipped: "NODE_SKIPPED"
      case .failed: "NODE_ERROR"
      case .canceled: "NODE_CANCELED"
      }
    }
  }

  let executor: DatakitExecutor
  let context: RequestContext
  let pluginValues = DatakitPluginValues()
  private(set) var states: [State]
  private(set) var failure: (node: Int, reason: String)?
  private var values: [DatakitValue]
  private var pending: [Int]
  private var ready: [Int]
  /// Nodes that are ready and wait for the service's response.
  private var held: [Int] = []
  private var inFlight = 0
  private var isAfterResponse = false
  /// Nothing begins any more: a node has answered, or failed, or the request is lost.
  private var isOver = false
  private var isSuspended = false
  private var isPumping = false
  private var trace: DatakitTrace?

  var plan: DatakitPlan { executor.plan }

  var isTracing: Bool { trace != nil }

  init(_ executor: DatakitExecutor, _ context: RequestContext) {
    self.executor = executor
    self.context = context
    let plan = executor.plan
    states = Array(repeating: .waiting, count: plan.nodes.count)
    pending = plan.nodes.map(\.dependencyCount)
    values = Array(repeating: .none, count: plan.slotCount)
    ready = plan.first
    if plan.isDebugging, DatakitTrace.isWanted(by: context.requestHeaders) {
      trace = DatakitTrace(startedAtMilliseconds: context.startedAtMilliseconds)
    }
  }

  // MARK: Phases

  /// Runs what can run on one side of the service's response.
  func begin(afterResponse: Bool) -> PhaseOutcome {
    if isOver { return .finished }
    isAfterResponse = afterResponse
    if afterResponse {
      ready += held
      held = []
    }
    pump()
    if !isOver, inFlight > 0 {
      isSuspended = true
      return .suspended
    }
    return end()
  }

  private func pump() {
    isPumping = true
    var index = 0
    while index < ready.count, !isOver {
      let node = ready[index]
      index += 1
      begin(node)
    }
    ready = []
    isPumping = false
  }

  /// Goes on after something that was under way.
  private func goOn() {
    if isPumping { return }
    pump()
    guard isSuspended, isOver || inFlight == 0 else { return }
    isSuspended = false
    context.resume(end())
  }

  /// What comes of the nodes on this side.
  private func end() -> PhaseOutcome {
    if let failure {
      answerFailure(failure)
    } else if isTracing, isOver || isAfterResponse {
      isOver = true
      answerTrace(status: 200)
    }
    return .finished
  }

  // MARK: Nodes

  private func begin(_ index: Int) {
    let node = plan.nodes[index]
    guard states[index] == .waiting else { return }
    guard node.isAfterResponse == isAfterResponse || isAfterResponse else {
      held.append(index)
      return
    }
    states[index] = .running
    do throws(DatakitFailure) {
      let inputs = try inputs(of: node)
      trace?.note("run", node, index, Array(zip(inputs.names(node), inputs.all)))
      try DatakitStep.begin(node.operation, inputs, index, self)
    } catch {
      fail(index, error)
    }
  }

  /// The node waits for something that ends with `complete` or `fail`.
  func wait() { inFlight += 1 }

  /// What a node waited for has come; false if nobody is interested any more.
  func woke() -> Bool {
    inFlight -= 1
    return !isOver
  }

  func complete(_ index: Int, _ outputs: [DatakitValue] = []) {
    let node = plan.nodes[index]
    states[index] = .complete
    for (offset, value) in outputs.enumerated() where offset < node.outputNames.count {
      values[node.firstOutput + offset] = value
    }
    trace?.note("complete", node, index, Array(zip(node.outputNames, outputs)))
    release(node)
    goOn()
  }

  private func release(_ node: DatakitPlan.Node) {
    for dependent in node.dependents {
      pending[dependent] -= 1
      if pending[dependent] == 0, states[dependent] == .waiting { ready.append(dependent) }
    }
  }

  /// Takes nodes out of this request; those that depend on them run without their values.
  func skip(_ nodes: [Int]) {
    for index in nodes where states[index] == .waiting {
      let node = plan.nodes[index]
      states[index] = .skipped
      trace?.note("skip", node, index, [])
      if case .branch(let then, let otherwise) = node.operation { skip(then + otherwise) }
      release(node)
    }
  }

  /// A node that has nothing to do in this request.
  func skipSelf(_ index: Int) {
    states[index] = .waiting
    skip([index])
  }

  func fail(_ index: Int, _ reason: DatakitFailure) {
    let node = plan.nodes[index]
    guard !isOver else { return }
    isOver = true
    states[index] = .failed
    failure = (index, reason.reason)
    trace?.note("fail", node, index, [("", .json(.string(reason.reason)))])
    cancelOthers()
    executor.logger.error(
      "\(title(node)) failed with error: \"\(reason.reason)\", request_id: \"\(context.requestID)\"")
    goOn()
  }

  /// The node has ended the request with a response of its own.
  func exit(_ index: Int) {
    isOver = true
    states[index] = .complete
    trace?.note("complete", plan.nodes[index], index, [])
    cancelOthers()
    goOn()
  }

  /// The request is lost; the pipeline ends it.
  func abandon() {
    isOver = true
    trace = nil
    goOn()
  }

  private func cancelOthers() {
    for (index, node) in plan.nodes.enumerated() where states[index] == .waiting || states[index] == .running {
      states[index] = .canceled
      trace?.note("cancel", node, index, [])
    }
  }

  private func title(_ node: DatakitPlan.Node) -> String {
    node.position.map { "node #\($0) (\(node.name))" } ?? "node \(node.name)"
  }

  // MARK: Inputs

  private func inputs(of node: DatakitPlan.Node) throws(DatakitFailure) -> DatakitInputs {
    switch node.inputs {
    case .none: return .none
    case .value(let input): return .value(try value(of: input, named: nil))
    case .fields(let inputs):
      var values: [DatakitValue] = []
      values.reserveCapacity(inputs.count)
      for (offset, input) in inputs.enumerated() {
        guard let input else {
          values.append(.none)
          continue
        }
        values.append(try value(of: input, named: node.inputNames[offset]))
      }
      return .fields(values)
    case .spread(let input, let ports):
      let members = try value(of: input, named: nil).json.object ?? [:]
      var values: [DatakitValue] = []
      for port in ports {
        values.append(try converted(members[port.name].map { .json($0) } ?? .none, to: port.type, named: port.name))
      }
      return .fields(values)
    case .gathered(let inputs):
      var members: [String: JSONValue] = [:]
      for (name, input) in inputs { members[name] = try value(of: input, named: name).json }
      return .value(.json(.object(members)))
    }
  }

  private func value(of input: DatakitPlan.Input, named name: String?) throws(DatakitFailure) -> DatakitValue {
    switch input.source {
    case .slot(let slot): return try converted(values[slot], to: input.type, named: name)
    case .object(let members):
      var object: [String: JSONValue] = [:]
      // What a node did not give is not there; a null that it gave is one.
      for (name, slot) in members where values[slot] != .none { object[name] = values[slot].json }
      return .json(.object(object))
    }
  }

  private func converted(
    _ value: DatakitValue, to type: DatakitType, named name: String?
  ) throws(DatakitFailure) -> DatakitValue {
    do throws(DatakitFailure) {
      return try value.converted(to: type)
    } catch {
      throw DatakitFailure("invalid input\(name.map { " '\($0)'" } ?? ""): \(error.reason)")
    }
  }

  // MARK: Answers

  private func answerFailure(_ failure: (node: Int, reason: String)) {
    if isTracing { return answerTrace(status: 500) }
    if isAfterResponse { context.response.headers.removeAll() }
    guard plan.isDebugging else {
      context.earlyResponse = ErrorResponder.response(status: 500, for: context)
      return
    }
    let node = plan.nodes[failure.node]
    var shown: [String: JSONValue] = ["name": .string(node.name), "type": .string(node.type)]
    if let position = node.position { shown["index"] = .integer(Int64(position)) }
    answer(
      500,
      [
        "message": "node execution error", "request_id": .string(context.requestID), "error": .string(failure.reason),
        "node": .object(shown),
      ])
  }

  private func answerTrace(status: Int) {
    guard let report = trace?.report(self) else { return }
    if isAfterResponse { context.response.headers.removeAll() }
    answer(status, report)
  }

  private func answer(_ status: Int, _ document: JSONValue) {
    context.earlyResponse = EarlyResponse(
      status: status, body: ByteBuffer(bytes: document.serialized()),
      headers: [("Content-Type", "application/json; charset=utf-8")], source: status < 400 ? .exit : .error)
  }
}

/// The values that a node begins with.
enum DatakitInputs {
  case none
  case value(DatakitValue)
  case fields([DatakitValue])

  var value: DatakitValue { if case .value(let value) = self { value } else { .none } }

  var all: [DatakitValue] {
    switch self {
    case .none: []
    case .value(let value): [value]
    case .fields(let values): values
    }
  }

  func names(_ node: DatakitPlan.Node) -> [String] {
    if case .fields = self { node.inputNames } else { [""] }
  }
}
