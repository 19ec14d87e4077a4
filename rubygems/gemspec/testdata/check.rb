# Loads what this package wrote, as clients do, and says what is not as Ruby would have it. The file named by CHECK holds a
# JSON object a line: the YAML of a specification and, in base64, gemspec.rz and a Marshal index.
require "base64"
require "json"
require "zlib"
require "stringio"
require "rubygems/package"
begin
  require "rubygems/safe_marshal"
rescue LoadError # before RubyGems 3.5
end

safe = defined?(Gem::SafeMarshal)
File.foreach(ENV["CHECK"]) do |line|
  c = JSON.parse(line)
  # What an index holds of it: without the lists of files and the like.
  want = Marshal.load(Marshal.dump(Gem::Specification.from_yaml(c["yaml"])))
  raw = Zlib::Inflate.inflate(Base64.decode64(c["quick"]))
  got = Marshal.load(raw)
  name = want.full_name
  same = ->(a, b) { a == b && a.to_ruby == b.to_ruby && a.date == b.date && a.metadata == b.metadata && a.email == b.email && a.full_name == b.full_name }
  puts "#{name}: another specification" unless same.(got, want)
  puts "#{name}: by us #{c["full"]}" unless c["full"] == name
  puts "#{name}: SafeMarshal reads another" if safe && !same.(Gem::SafeMarshal.safe_load(raw), want)
  index = Zlib::GzipReader.new(StringIO.new(Base64.decode64(c["index"]))).read
  tuple = [[want.name, want.version, want.original_platform.to_s]]
  puts "#{name}: another row" unless Marshal.load(index) == tuple
  puts "#{name}: SafeMarshal reads another row" if safe && Gem::SafeMarshal.safe_load(index) != tuple
end
puts(safe ? "checked, also with SafeMarshal" : "checked")
exit!(0) if $stdout.flush
