# customers.csv: -v rows=N; a class that depends on age, city and what is missing.
BEGIN {
  srand(7)
  print "customer,age,city,since,income,label"
  split("Bern,Oslo,\"Rio, RJ\",Bonn", cities, ",")
  cities[3] = "\"Rio, RJ\""; cities[4] = "Bonn"
  for (i = 0; i < rows; ++i) {
    age = 18 + int(60 * rand()); c = 1 + int(4 * rand()); month = 1 + int(12 * rand())
    income = rand() < 0.2 ? "?" : 1000 + int(4000 * rand())
    yes = (age > 45) + (c == 2) + (income == "?") >= 1.5 - (rand() < 0.05)
    printf "k%d,%d,%s,20%02d-%02d-03,%s,%s\n", i % 150, age, cities[c], i % 20, month, income, yes ? "yes" : "no"
  }
}
