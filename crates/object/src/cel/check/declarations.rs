//! The table of functions.

/// Operators and functions of CEL and of the libraries of Kubernetes (google/cel-go checker/standard.go and ext,
/// k8s.io/apiserver/pkg/cel/library). A name before a dot is the type of the target; `A` and `B` are any types. A namespaced
/// function has a colon in place of its dot.
pub(super) const DECLARATIONS: &str = "
_+_(int, int) int
_+_(uint, uint) uint
_+_(double, double) double
_+_(string, string) string
_+_(bytes, bytes) bytes
_+_(list<A>, list<A>) list<A>
_+_(timestamp, duration) timestamp
_+_(duration, timestamp) timestamp
_+_(duration, duration) duration
_-_(int, int) int
_-_(uint, uint) uint
_-_(double, double) double
_-_(timestamp, timestamp) duration
_-_(timestamp, duration) timestamp
_-_(duration, duration) duration
_*_(int, int) int
_*_(uint, uint) uint
_*_(double, double) double
_/_(int, int) int
_/_(uint, uint) uint
_/_(double, double) double
_%_(int, int) int
_%_(uint, uint) uint
-_(int) int
-_(double) double
!_(bool) bool
_==_(A, A) bool
_!=_(A, A) bool
_?_:_(bool, A, A) A
@in(A, list<A>) bool
@in(A, map<A, B>) bool
_[_](list<A>, int) A
_[_](map<A, B>, A) B
_[_](optional<list<A>>, int) optional<A>
_[_](optional<map<A, B>>, A) optional<B>
_[?_](list<A>, int) optional<A>
_[?_](map<A, B>, A) optional<B>
_[?_](optional<list<A>>, int) optional<A>
_[?_](optional<map<A, B>>, A) optional<B>
ordered(bool, bool) bool
ordered(int, int) bool
ordered(int, uint) bool
ordered(int, double) bool
ordered(uint, int) bool
ordered(uint, uint) bool
ordered(uint, double) bool
ordered(double, int) bool
ordered(double, uint) bool
ordered(double, double) bool
ordered(string, string) bool
ordered(bytes, bytes) bool
ordered(timestamp, timestamp) bool
ordered(duration, duration) bool
size(string) int
size(bytes) int
size(list<A>) int
size(map<A, B>) int
string.size() int
bytes.size() int
list<A>.size() int
map<A, B>.size() int
type(A) type
dyn(A) dyn
bool(bool) bool
bool(string) bool
int(int) int
int(uint) int
int(double) int
int(string) int
int(timestamp) int
int(duration) int
uint(uint) uint
uint(int) uint
uint(double) uint
uint(string) uint
double(double) double
double(int) double
double(uint) double
double(string) double
string(string) string
string(bool) string
string(int) string
string(uint) string
string(double) string
string(bytes) string
string(timestamp) string
string(duration) string
string(ip) string
string(cidr) string
bytes(bytes) bytes
bytes(string) bytes
timestamp(timestamp) timestamp
timestamp(string) timestamp
timestamp(int) timestamp
duration(duration) duration
duration(string) duration
duration(int) duration
string.contains(string) bool
string.startsWith(string) bool
string.endsWith(string) bool
string.matches(string) bool
matches(string, string) bool
timestamp.getFullYear() int
timestamp.getFullYear(string) int
timestamp.getMonth() int
timestamp.getMonth(string) int
timestamp.getDayOfYear() int
timestamp.getDayOfYear(string) int
timestamp.getDayOfMonth() int
timestamp.getDayOfMonth(string) int
timestamp.getDate() int
timestamp.getDate(string) int
timestamp.getDayOfWeek() int
timestamp.getDayOfWeek(string) int
timestamp.getHours() int
timestamp.getHours(string) int
timestamp.getMinutes() int
timestamp.getMinutes(string) int
timestamp.getSeconds() int
timestamp.getSeconds(string) int
timestamp.getMilliseconds() int
timestamp.getMilliseconds(string) int
duration.getHours() int
duration.getMinutes() int
duration.getSeconds() int
duration.getMilliseconds() int
string.charAt(int) string
string.indexOf(string) int
string.indexOf(string, int) int
string.lastIndexOf(string) int
string.lastIndexOf(string, int) int
string.lowerAscii() string
string.upperAscii() string
string.replace(string, string) string
string.replace(string, string, int) string
string.split(string) list<string>
string.split(string, int) list<string>
string.substring(int) string
string.substring(int, int) string
string.trim() string
string.format(list<dyn>) string
strings:quote(string) string
list<string>.join() string
list<string>.join(string) string
string.find(string) string
string.findAll(string) list<string>
string.findAll(string, int) list<string>
list<int>.isSorted() bool
list<uint>.isSorted() bool
list<double>.isSorted() bool
list<bool>.isSorted() bool
list<duration>.isSorted() bool
list<timestamp>.isSorted() bool
list<string>.isSorted() bool
list<bytes>.isSorted() bool
list<int>.sum() int
list<uint>.sum() uint
list<double>.sum() double
list<duration>.sum() duration
list<int>.max() int
list<int>.min() int
list<uint>.max() uint
list<uint>.min() uint
list<double>.max() double
list<double>.min() double
list<bool>.max() bool
list<bool>.min() bool
list<duration>.max() duration
list<duration>.min() duration
list<timestamp>.max() timestamp
list<timestamp>.min() timestamp
list<string>.max() string
list<string>.min() string
list<bytes>.max() bytes
list<bytes>.min() bytes
list<int>.sort() list<int>
list<uint>.sort() list<uint>
list<double>.sort() list<double>
list<bool>.sort() list<bool>
list<duration>.sort() list<duration>
list<timestamp>.sort() list<timestamp>
list<string>.sort() list<string>
list<bytes>.sort() list<bytes>
list<A>.indexOf(A) int
list<A>.lastIndexOf(A) int
list<A>.slice(int, int) list<A>
list<list<A>>.flatten() list<A>
list<list<A>>.flatten(int) list<dyn>
list<A>.reverse() list<A>
list<A>.distinct() list<A>
list<A>.first() optional<A>
list<A>.last() optional<A>
lists:range(int) list<int>
sets:contains(list<A>, list<A>) bool
sets:equivalent(list<A>, list<A>) bool
sets:intersects(list<A>, list<A>) bool
url(string) url
isURL(string) bool
url.getScheme() string
url.getHost() string
url.getHostname() string
url.getPort() string
url.getEscapedPath() string
url.getQuery() map<string, list<string>>
quantity(string) quantity
isQuantity(string) bool
sign(quantity) int
quantity.isGreaterThan(quantity) bool
quantity.isLessThan(quantity) bool
quantity.compareTo(quantity) int
quantity.asApproximateFloat() double
quantity.asInteger() int
quantity.isInteger() bool
quantity.add(quantity) quantity
quantity.add(int) quantity
quantity.sub(quantity) quantity
quantity.sub(int) quantity
ip(string) ip
isIP(string) bool
ip:isCanonical(string) bool
ip.family() int
ip.isUnspecified() bool
ip.isLoopback() bool
ip.isLinkLocalMulticast() bool
ip.isLinkLocalUnicast() bool
ip.isGlobalUnicast() bool
cidr(string) cidr
isCIDR(string) bool
cidr.containsIP(string) bool
cidr.containsIP(ip) bool
cidr.containsCIDR(string) bool
cidr.containsCIDR(cidr) bool
cidr.ip() ip
cidr.prefixLength() int
cidr.masked() cidr
semver(string) semver
semver(string, bool) semver
isSemver(string) bool
isSemver(string, bool) bool
semver.isGreaterThan(semver) bool
semver.isLessThan(semver) bool
semver.compareTo(semver) int
semver.major() int
semver.minor() int
semver.patch() int
format:named(string) optional<format>
format:dns1123Label() format
format:dns1123Subdomain() format
format:dns1035Label() format
format:qualifiedName() format
format:dns1123LabelPrefix() format
format:dns1123SubdomainPrefix() format
format:dns1035LabelPrefix() format
format:labelValue() format
format:uri() format
format:uuid() format
format:byte() format
format:date() format
format:datetime() format
format.validate(string) optional<list<string>>
optional:none() optional<A>
optional:of(A) optional<A>
optional:ofNonZeroValue(A) optional<A>
optional<A>.hasValue() bool
optional<A>.value() A
optional<A>.orValue(A) A
optional<A>.or(optional<A>) optional<A>
";
