# SPDX-License-Identifier: Apache-2.0
# WEBrick over TLS: ruby_server.rb PORT CERTIFICATE KEY. Same answers and log as answer.py.
require 'json'
require 'openssl'
require 'webrick'
require 'webrick/https'

LOG = File.open(ENV['ACCESS_LOG'], 'a')
LOG.sync = true

class Application < WEBrick::HTTPServlet::AbstractServlet
  def service(request, response)
    received = request.body.to_s.bytesize
    query = URI.decode_www_form(request.query_string.to_s).to_h
    size = query.fetch('size', 64).to_i
    sleep(query.fetch('ms', 0).to_i / 1000.0)
    response.status = query.fetch('status', 200).to_i
    response['Content-Type'] = 'text/plain'
    response.chunked = query['chunked'] == '1'
    response.body = 'x' * size
    LOG.write(JSON.generate(method: request.request_method, target: request.unparsed_uri, status: response.status,
                            response_bytes: size, request_bytes: received, port: request.peeraddr[1]) + "\n")
  end
end

port, certificate, key = ARGV
server = WEBrick::HTTPServer.new(
  BindAddress: '127.0.0.1', Port: port.to_i, SSLEnable: true, MaxClients: 200, AccessLog: [],
  Logger: WEBrick::Log.new($stderr, WEBrick::Log::ERROR),
  SSLCertificate: OpenSSL::X509::Certificate.new(File.read(certificate)),
  SSLPrivateKey: OpenSSL::PKey.read(File.read(key)))
server.mount('/', Application)
%w[INT TERM].each { |name| trap(name) { server.shutdown } }
server.start
