/// What the quickstart tells a person to try.
struct QuickstartGuide {
  let ports: QuickstartPorts
  let directory: String

  var text: String {
    let admin = "localhost:\(ports.admin)"
    let proxy = "localhost:\(ports.proxy)"
    return """

      Sluice \(SluiceVersion.current) is running, speaking Kong Gateway \(SluiceVersion.kong):
        Admin API  http://127.0.0.1:\(ports.admin)    proxy  http://\(proxy)  https://localhost:\(ports.proxyTLS)
        data and logs under \(directory)

      Stream two plugins to the data plane (from the project's folder):

        curl -sX POST \(admin)/custom-plugins -F name=replaceme \\
          -F 'schema=<examples/plugins/replaceme/schema.lua' -F 'handler=<examples/plugins/replaceme/handler.lua'
        curl -sX POST \(admin)/custom-plugins -F name=reflector \\
          -F 'schema=<examples/plugins/reflector/schema.lua' -F 'handler=<examples/plugins/reflector/handler.lua'

      Use them on every request, the first one with a condition:

        curl -sX POST \(admin)/plugins -H 'Content-Type: application/json' -d '{"name": "replaceme",
          "config": {"target_word": "sea", "replacement_word": "pelican"},
          "condition": "!http.path.contains(\\"skip\\")"}'
        curl -sX POST \(admin)/plugins -d name=reflector

      And see what they do:

        curl \(proxy)/anything -d 'She sells sea shells by the sea shore.'
        curl \(proxy)/anything/skip -d 'She sells sea shells by the sea shore.'

      What the data plane runs: curl -s \(admin)/clustering/data-planes
      Ctrl-C stops both; the next start finds the data again.

      """
  }
}
