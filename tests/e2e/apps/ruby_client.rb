# SPDX-License-Identifier: Apache-2.0
# Ruby's net/http: ruby_client.rb BASE FILE; like node_client.mjs, on four keep-alive connections.
require 'json'
require 'net/http'

base = URI(ARGV[0])
lines = File.readlines(ARGV[1]).map { |line| JSON.parse(line) }
log = File.open(ENV['CLIENT_LOG'], 'w')
lock = Mutex.new
threads = (0...4).map do |number|
  Thread.new do
    Net::HTTP.start(base.host, base.port, use_ssl: base.scheme == 'https', max_retries: 0) do |http|
      lines.each_slice(4).map { |slice| slice[number] }.compact.each do |line|
        body = line['bytes'].positive? ? 'y' * line['bytes'] : nil
        message = Net::HTTPGenericRequest.new(line['method'], !body.nil?, true, line['target'], 'Accept-Encoding' => 'identity')
        message.content_type = 'text/plain' if body
        answer = http.request(message, body)
        lock.synchronize do
          log.write(JSON.generate(method: line['method'], target: line['target'], status: answer.code.to_i,
                                  response_bytes: answer.body.to_s.bytesize, request_bytes: line['bytes']) + "\n")
        end
      end
    end
  end
end
threads.each(&:join)
log.close
